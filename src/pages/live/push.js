// ---------------------------------------------------------------- Pushing

const STORED_LINES = 50;           // entries listed as stored from this page

let waiting = [];                  // files that were dropped before the stream had a name

async function push(items) {
  const name = $("push-name").value;
  $("push-note").textContent = "";
  if (!items.length) return;
  if (!name) {
    waiting = items;
    $("push-note").textContent = `Name the stream for ${items.map(item => item.label).join(", ")}, then press Push.`;
    $("push-name").focus();
    return;
  }
  waiting = [];
  for (const [i, item] of items.entries()) {
    say(`Pushing ${item.label} into ${name} (${i + 1} of ${items.length}).`);
    try {
      await pushOne(name, item);
    } catch (error) {
      $("push-note").textContent = `${item.label} was not stored: ${error.message}`;
      return say("");
    }
  }
  say(`Stored ${items.length === 1 ? items[0].label : `${items.length} entries`} in ${name}.`);
  if (view.name === null) location.hash = hashOf(name);
}

// The body as it is, with a type of our own: a file must not be taken for a form.
async function pushOne(name, { label, body }) {
  const reply = await ask("POST", pathOf("data", name), { within: PUSH_MS, body, headers: { "Content-Type": "application/octet-stream" } });
  const [id] = await reply.json();
  const line = make("li", {}, make("code", { textContent: id }), make("bdi", { textContent: label }),
    make("span", { className: "quiet", textContent: `${size(body.size)} in ` }, make("bdi", { textContent: name })));
  $("stored").prepend(line);
  while ($("stored").children.length > STORED_LINES) $("stored").lastElementChild.remove();
}

async function pushTyped(event) {
  event.preventDefault();
  const text = $("push-text").value;
  const items = [...waiting, ...(text ? [{ label: "text", body: new Blob([text]) }] : [])];
  if (!items.length) $("push-note").textContent = "Type some text, or choose files.";
  await push(items);
}

const pushFiles = files => push([...files].map(file => ({ label: file.name, body: file })));

function dragOver(event) {
  if (!session.open || !event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  setText($("drop-into"), $("push-name").value ? `into ${$("push-name").value}` : "into a stream that you name next");
  $("drop").hidden = false;
}

function drop(event) {
  $("drop").hidden = true;
  if (!session.open || !event.dataTransfer?.files.length) return;
  event.preventDefault();
  pushFiles(event.dataTransfer.files);
}
