// ---------------------------------------------------------------- Talking to the store

// No request waits for ever: the store answers within seconds, and the rest is for the bytes.
const ASK_MS = 10_000;
const FETCH_MS = 60_000;           // entries, of up to 64 MB
const PUSH_MS = 600_000;

// Where the store is, without a slash at the end. Behind a proxy that need not be the root of the host.
const home = new URL(".", location.origin + location.pathname).href.replace(/\/$/, "");

// A browser resolves the segments "." and ".." away, so these names would ask for something else.
function pathOf(collection, name, rest = "") {
  if (name === "." || name === "..") throw new Error(`A browser cannot ask for a stream named “${name}”.`);
  return `/${collection}/${encode(name)}${rest}`;
}

// A reply that is good. What is thrown otherwise says why, and has the `status` and the `reply` if there was one.
async function ask(method, path, { within = ASK_MS, ...options } = {}) {
  let reply;
  try {
    reply = await fetch(home + path, { method, cache: "no-store", signal: AbortSignal.timeout(within), ...options });
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? "The store does not answer." : "The store cannot be reached.");
  }
  if (reply.ok) return reply;
  const told = await reply.json().catch(() => ({}));
  const expired = reply.status === 401 && path !== "/token";
  if (expired && session.open) endSession({ expired: session.known || told.detail !== "Not authenticated" });
  throw Object.assign(new Error(expired ? "Your sign-in has expired." : reasonOf(reply.status, told)), { status: reply.status, told });
}

function reasonOf(status, { detail }) {
  if (Array.isArray(detail)) return detail.map(({ loc, msg }) => `${loc.at(-1)}: ${msg}`).join("; ");
  return typeof detail === "string" ? detail : `The store answered with status ${status}.`;
}

// A view on one big buffer would keep all of it alive, so entries of a batch are copied out.
function split(offsets, buffer) {
  if (offsets.length === 1) return [{ id: offsets[0][0], data: new Uint8Array(buffer) }];
  return offsets.map(([id, start], i) => ({ id, data: new Uint8Array(buffer.slice(start, offsets[i + 1]?.[1])) }));
}

async function fetchEntries(name, after, count) {
  const reply = await ask("GET", pathOf("data", name, `?count=${count}&last_entry_id=${after}`), { within: FETCH_MS });
  return split(JSON.parse(reply.headers.get("entry-offset")), await reply.arrayBuffer());
}
