// ---------------------------------------------------------------- Pausing, and stepping through entries

const NEAR_ENTRIES = 200;          // entries held to step through
const NEAR_BYTES = 64 << 20;
const OLDER_COUNT = 16;            // entries fetched at once when stepping beyond those held
const OLDER_PAGES = 64;

// What is too much is dropped from the other end.
function hold(entries, atFront) {
  view.near = atFront ? [...entries, ...view.near] : [...view.near, ...entries];
  let bytes = view.near.reduce((sum, entry) => sum + entry.data.length, 0);
  while (view.near.length > 1 && (view.near.length > NEAR_ENTRIES || bytes > NEAR_BYTES)) {
    bytes -= view.near[atFront ? "pop" : "shift"]().data.length;
  }
}

const placeInNear = () => view.near.findIndex(entry => entry.id === view.shown?.id);

function pause() {
  Object.assign(view, { paused: true, pending: null, near: view.shown ? [view.shown] : [] });
  stopPulling();
  setPulling("paused", "paused");
  $("pause").textContent = "Resume";
  showLines();
}

function resume() {
  Object.assign(view, { paused: false, near: [] });
  $("pause").textContent = "Pause";
  showLines();
  follow();
}

let stepping = false;
async function step(direction) {
  if (!view.name || stepping) return;
  if (!view.paused) pause();
  if (!view.shown) return;
  stepping = true;
  const { turn } = view;
  try {
    const wanted = view.near[placeInNear() + direction] ?? await fetchNeighbour(direction);
    if (turn !== view.turn) return;
    if (wanted) draw(wanted);
    say(wanted ? "" : `There is no ${direction < 0 ? "older" : "newer"} entry.`);
  } catch (error) {
    say(error.message, true);
  } finally {
    stepping = false;
  }
}

async function fetchNeighbour(direction) {
  const { turn, name, shown } = view;
  const found = direction < 0 ? await fetchBefore(name, shown.id) : await fetchEntries(name, shown.id, OLDER_COUNT);
  if (turn !== view.turn) return null;
  // Without the entry shown at one end, what is held would not be neighbours of what comes.
  if (placeInNear() < 0) view.near = [];
  hold(found, direction < 0);
  return direction < 0 ? found.at(-1) : found[0];
}

// The store reads forward only, so we look from ever further back until something older than `id` turns up.
async function fetchBefore(name, id) {
  const [ms, seq] = parts(id);
  const near = seq > 0n ? await fetchSpan(name, `${ms}-${seq > OLDER_COUNT ? seq - BigInt(OLDER_COUNT) : 0n}`, id) : [];
  for (let span = 250n, found = near; ; span *= 8n) {
    if (found.length || span > 8n * ms) return found;
    found = await fetchSpan(name, span < ms ? `${ms - span}` : "0", id);
  }
}

async function fetchSpan(name, after, end) {
  let found = [];
  for (let page = 0; page < OLDER_PAGES; page++) {
    const entries = await fetchEntries(name, after, OLDER_COUNT);
    const older = entries.filter(entry => compareIds(entry.id, end) < 0);
    found = [...found, ...older].slice(-OLDER_COUNT);
    if (older.length < entries.length || !entries.length) return found;
    after = entries.at(-1).id;
  }
  throw new Error("Too many entries were stored in too short a time to step back through them here.");
}

function download() {
  if (!view.shown) return;
  const { id, data } = view.shown;
  const url = URL.createObjectURL(new Blob([data]));
  const name = `${view.name}-${id}.${extensionOf(data)}`.replace(/[^\w.-]+/g, "_");
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  say(`Downloading ${name}.`);
}
