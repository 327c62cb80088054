// ---------------------------------------------------------------- Choosing a stream: #/name or #/name/as

const hashOf = (name, as = "auto") => `#/${encode(name)}${as === "auto" ? "" : `/${as}`}`;

function readHash() {
  try {
    const [name, as] = location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
    return { name: name ?? "", as: [...$("show-as").options].some(option => option.value === as) ? as : "auto" };
  } catch {
    return { name: "", as: "auto" };   // a broken %-sequence
  }
}

function route() {
  if (!session.open) return;
  const { name, as } = readHash();
  if (name !== (view.name ?? "")) name ? choose(name) : leave();
  if (!name || as === view.as) return;
  view.as = $("show-as").value = as;
  redraw();
}

const RETRY_MS = [500, 10_000];    // first and longest wait before connecting again

const view = {
  name: null, as: "auto", turn: 0, socket: null, paused: false, expanded: false,
  near: [],                        // while paused: entries at hand to step through, the one shown among them
  last: null, shown: null, pending: null, drawing: false,
  drawn: 0, ticks: [], delay: RETRY_MS[0], openedBy: Infinity,
};

function choose(name) {
  const byKey = $("rows").contains(document.activeElement);
  closeView();
  Object.assign(view, { name, paused: false, expanded: false, as: "auto" });
  document.title = `${name} · PTG Data Store`;
  document.body.classList.add("chosen");
  $("view").hidden = false;
  $("show-as").value = "auto";
  setText($("view-name"), visible(name));
  $("view-name").title = visible(name);
  $("push-name").value = name;
  $("pause").textContent = "Pause";
  reveal(filtered().indexOf(name));
  show();
  showLines();
  follow();
  if (byKey) $("stage").focus({ preventScroll: innerWidth >= 1000 });
}

function leave() {
  const { name } = view;
  if (name === null) return;
  closeView();
  document.title = "PTG Data Store";
  document.body.classList.remove("chosen");
  $("view").hidden = true;
  if ($("push-name").value === name) $("push-name").value = "";
  const place = filtered().indexOf(name);
  if (place >= 0) focusRow(place);
  show();
}

function closeView() {
  stopPulling();
  Object.assign(view, { name: null, near: [], last: null, shown: null, pending: null, ticks: [], delay: RETRY_MS[0] });
  showNothing();
}

// The stream's state, by the store's judgement; how we are connected stands beside it.
function showChip() {
  if (!view.name) return;
  const info = streams.get(view.name)?.info;
  const state = verdict.old ? "unknown" : info?.state ?? "none";
  $("state").dataset.state = state;
  setText($("state"), state === "none" ? "no entries yet" : state);
}

// ---------------------------------------------------------------- Pulling: the newest entry, once the one before is on the screen

// `open`, `connecting`, `lost` or `paused`.
function setPulling(state, text) {
  $("pulling").dataset.state = $("stage").dataset.pulling = state;
  setText($("pulling"), text);
}

// Whatever began before the turn changed (requests, sockets, timers) sees that it is no longer wanted.
function stopPulling() {
  view.turn += 1;
  // One that is still connecting is closed once it is open; browsers complain otherwise.
  if (view.socket?.readyState !== WebSocket.CONNECTING) view.socket?.close();
  Object.assign(view, { socket: null, openedBy: Infinity });
}

async function follow() {
  stopPulling();
  const { turn, name } = view;
  setPulling("connecting", "connecting");
  try {
    const newest = await fetchEntries(name, "*", 1);
    if (turn !== view.turn) return;
    view.last = null;
    receive(newest);
    openPull(newest[0]?.id ?? "0", "");
  } catch (error) {
    if (turn === view.turn) retry(error.message);
  }
}

// The store sends the next entry, the newest then, when it is told that this one was drawn: however slow the network or this
// page is, what is shown is recent, and one entry is on its way at most.
function openPull(after, greeting) {
  const { turn, name } = view;
  const wish = `newest=true&ack=true&last_entry_id=${after}&resume=true&csrf_token=${session.csrf}`;
  const socket = new WebSocket(home.replace(/^http/, "ws") + pathOf("data", name, `/pull?${wish}`));
  let offsets = [];
  socket.binaryType = "arraybuffer";
  socket.onopen = () => {
    if (turn !== view.turn) return socket.close();
    Object.assign(view, { openedBy: storeNow(), delay: RETRY_MS[0] });
    setPulling("open", "");
    if (greeting) say(greeting);
  };
  socket.onmessage = async ({ data }) => {
    if (turn !== view.turn) return;
    if (typeof data === "string") offsets = JSON.parse(data);
    else {
      await receive(split(offsets, data));
      if (turn === view.turn && socket.readyState === WebSocket.OPEN) socket.send("");
    }
  };
  socket.onclose = ({ code, reason }) => turn === view.turn && retry(reason || (code === 1006 ? "" : `code ${code}`));
  view.socket = socket;
}

async function retry(reason) {
  stopPulling();
  const { turn, name } = view;
  const wait = view.delay;
  view.delay = Math.min(RETRY_MS[1], 2 * wait);
  setPulling("lost", "reconnecting");
  say(`Lost the connection to ${name}${reason && ` (${reason.replace(/\.$/, "")})`}; trying again in ${duration(wait)}.`, true);
  await sleep(wait);
  if (turn !== view.turn) return;
  if (!view.last) return follow();
  try {
    // A WebSocket does not tell why it was refused, a plain request does; `$` brings no entries.
    await fetchEntries(name, "$", 1);
    if (turn === view.turn) openPull(view.last, `Connected again to ${name}.`);
  } catch (error) {
    if (turn === view.turn) retry(error.message);
  }
}

// Resolves once the last of them was drawn, or something newer took its place.
async function receive(entries) {
  if (!entries.length) return;
  view.last = entries.at(-1).id;
  await draw(entries.at(-1));
}
