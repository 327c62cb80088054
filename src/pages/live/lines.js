// ---------------------------------------------------------------- Lines to copy

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    copyByHand(text);              // the clipboard interface exists on https and localhost only
  }
  const label = button.textContent;
  if (label !== "Copied") setTimeout(() => { button.textContent = label; }, 1500);
  button.textContent = "Copied";
  say("Copied to the clipboard.");
}

function copyByHand(text) {
  const field = make("textarea", { value: text, className: "unseen" });
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

// On the screen the token is cut short, so that a screenshot does not give it away.
const masked = text => session.token ? text.replaceAll(session.token, `${session.token.slice(0, 8)}…`) : text;

const signInLine = () =>
  `TOKEN=$(curl -s ${home}/token -d username=NAME -d password=PASSWORD | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`;

function firstLines() {
  return [
    session.token ? `TOKEN=${session.token}` : signInLine(),
    `curl -H "Authorization: Bearer $TOKEN" ${home}/data/dev0 -H 'Content-Type: text/plain' --data-binary 'hello'`,
    `curl -H "Authorization: Bearer $TOKEN" ${home}/data/dev0`,
  ].join("\n");
}

function showFirstLines() {
  setText($("first-lines"), masked(firstLines()));
}

// While live: the newest entry and what follows. Paused: exactly the entry shown.
function linesFor(name, id) {
  const token = session.token ?? "$TOKEN";
  const after = id ? idBefore(id) : "*";
  const data = `${home}/data/${encode(name)}`;
  const pull = `${data.replace(/^http/, "ws")}/pull?last_entry_id=${after}`;
  const bearer = session.token ? `"Bearer ${token}"` : `"Bearer " + os.environ["TOKEN"]`;
  const imports = session.token ? "" : "import os\n";
  const once = `${imports}import requests\nreply = requests.get("${data}?last_entry_id=${after}", headers={"Authorization": ${bearer}})\n` +
    `print(reply.headers["entry-offset"], len(reply.content))`;
  const live = `${imports}from websockets.sync.client import connect\n` +
    `with connect("${pull}", additional_headers={"Authorization": ${bearer}}, max_size=None) as pull:\n` +
    `    for offsets in pull:\n        print(offsets, len(pull.recv()))`;
  return {
    ...(session.token ? {} : { token: `export ${signInLine()}` }),
    curl: `curl -H "Authorization: Bearer ${token}" "${data}?last_entry_id=${after}" -o entry`,
    websocat: `websocat -n${id ? " --max-messages-rev 2" : ""} -B 67108864 "${pull}&token=${token}"`,
    Python: id ? once : live,
  };
}

function showLines() {
  if (!view.name) return;
  const lines = Object.entries(linesFor(view.name, view.paused ? view.shown?.id : null));
  $("lines").replaceChildren(...lines.map(([name, text]) => {
    const button = make("button", { type: "button", ariaLabel: `Copy the ${name} line`, textContent: "Copy" });
    button.onclick = () => copy(text, button);
    if (session.token) button.title = "What is copied carries your token: treat it like a password.";
    return make("div", { className: "line" }, make("span", { className: "quiet", textContent: name }),
      make("pre", { tabIndex: 0, textContent: masked(text) }), button);
  }));
}

