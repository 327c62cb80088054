// ---------------------------------------------------------------- What is known, and as of when

// Everything on the page that says how things are now (rates, ages, states, the banner) follows from `known` by `judge`. Polls add
// to it, and a timer of its own shows it, whatever they do.

const POLL_MS = 1000;              // from one poll to the next; the store makes a new overview about as often
const LEAST_PAUSE_MS = 200;        // between the end of one and the next
const POLL_WITHIN_MS = 5000;
const GIVEN_UP_MS = 6000;          // whatever became of it
const SIGNED_OUT_POLL_MS = 2000;   // while the sign-in form is shown
const OLD_MS = 2500;               // what was so then need not be so now: an overview is up to 0.9 s old when it comes, the next one 1 s later
const SLACK_MS = OLD_MS - 900;     // the same for a store that makes an overview more seldom, because there are many streams
const SHOW_MS = 250;               // so that what is old looks old within three seconds

// Times are of performance.now(), which no clock change moves.
const known = {
  since: performance.now(),        // when the page began to ask, or somebody came back to it
  asOf: null,                      // when the last overview was made; null: there was none
  maxAge: 0,                       // how long the store keeps one, ms
  heard: null,                     // when the store last answered anything
  redis: null,                     // what it said of Redis: {state, since, detail, last_save}
  refusal: null,                   // why it gave no overview, if it did not
};

// What follows at a time: whether the overview is old, and what the banner says: what is the matter, since when (a Date or null),
// and why, if that is known. Pure.
function judge({ since, asOf, maxAge, heard, redis, refusal }, now, wallNow) {
  const dateOf = time => time === null ? null : new Date(wallNow - (now - time));
  const toDate = text => text ? new Date(text) : null;
  const limit = Math.max(OLD_MS, maxAge + SLACK_MS);
  const away = redis?.state === "away";
  const old = away || asOf === null || now - asOf > limit;
  const says = (what, since, why = "") => ({ old, banner: { what, since, why } });
  // Nobody asked before `since`.
  const unheard = now - Math.max(since, heard ?? since);
  const unknown = now - Math.max(since, asOf ?? since);
  if (unheard > OLD_MS) return says("The store does not answer", dateOf(heard));
  if (away) {
    const [all, why] = redis.detail.match(/^Redis cannot be reached: (.*)/s) ?? [];
    return says(all ? "Redis does not answer" : redis.detail, toDate(redis.since), why);
  }
  if (old && unknown > limit) return says(refusal ?? "Redis does not answer", dateOf(asOf));
  if (!redis || redis.state === "well") return { old, banner: null };
  return says(redis.detail, toDate(redis.since ?? (redis.state === "not_saving" ? redis.last_save : null)));
}

// "12:03:04", with the date unless it is today.
function clockText(date, now = new Date()) {
  const [day, time] = date.toLocaleString("sv-SE").split(" ");
  return day === now.toLocaleString("sv-SE").split(" ")[0] ? time : `${day} ${time}`;
}

// As one line: what, since when, and as of when the rest of the page is.
function bannerText({ old, banner }, asOf) {
  const isSentence = banner.what.endsWith(".");
  const since = banner.since ? ` ${isSentence ? "Since" : "since"} ${clockText(banner.since)}` : "";
  const told = `${banner.what}${since}${banner.why && ` (${banner.why})`}${isSentence && !since ? "" : "."}`;
  return old && asOf ? `${told} What is shown is of ${clockText(asOf)}.` : told;
}

let verdict = { old: true, banner: null };

// Shows how things are now; on a timer, and whenever something was learned.
function show() {
  const now = performance.now();
  verdict = judge(known, now, Date.now());
  const { old, banner } = verdict;
  const text = session.expired ? "Your sign-in has expired. Sign in again: what you typed is kept."
    : banner ? bannerText(verdict, known.asOf && session.open ? new Date(Date.now() - (now - known.asOf)) : null) : "";
  setText($("banner"), text);
  $("banner").hidden = text === "";
  document.body.classList.toggle("old", old);
  if (!session.open) return;
  showTable();
  showChip();
  showFacts();
}

// ---------------------------------------------------------------- Polls: one at a time

let polling = null, nextPoll;

function poll() {
  clearTimeout(nextPoll);
  const begun = performance.now();
  polling ??= Promise.race([pollOnce(), sleep(GIVEN_UP_MS)]).finally(() => {
    polling = null;
    const period = session.open ? POLL_MS : SIGNED_OUT_POLL_MS;
    nextPoll = setTimeout(poll, Math.max(LEAST_PAUSE_MS, period - (performance.now() - begun)));
  });
  return polling;
}

async function pollOnce() {
  if (document.hidden) return;
  const asking = session.number;
  const begun = performance.now();
  try {
    // Without a sign-in the store tells only whether Redis is well.
    const reply = await ask("GET", session.open ? "/activity" : "/ping", { within: POLL_WITHIN_MS });
    const text = await reply.text();   // heads that nothing follows are no answer
    known.heard = performance.now();
    const told = parse(text);
    if (asking !== session.number) return;
    if (session.open) learn(told, reply);
    else Object.assign(known, { asOf: known.heard, redis: null, refusal: null });
  } catch ({ message, status, told }) {
    if (asking !== session.number) return;
    if (status) known.heard = performance.now();
    if (known.heard > begun) known.refusal = message;
    if (told?.redis) known.redis = told.redis;
    else if (status === 503 && !session.open) known.redis = { state: "away", detail: message, since: null };
  }
  show();
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("The store's answer cannot be read");
  }
}

function learn(activity, reply) {
  session.known = true;
  session.csrf = reply.headers.get("X-CSRF-Token");
  // Somebody else may have signed in beside this page.
  if (session.user !== null && session.user !== activity.user) forgetTyped();
  session.user = activity.user;
  setClock(activity.now);
  Object.assign(known, {
    asOf: performance.now() - (Date.parse(activity.now) - Date.parse(activity.time)),
    maxAge: activity.max_age * 1000,
    redis: activity.redis,
    refusal: null,
  });
  learnStreams(activity);
}

// Somebody looks again, or another user: what was not asked for meanwhile is nobody's fault.
function beginToAsk() {
  known.since = performance.now();
  return poll();
}

function forgetAll() {
  Object.assign(known, { since: performance.now(), asOf: null, maxAge: 0, heard: null, redis: null, refusal: null });
  forgetStreams();
}

// ---------------------------------------------------------------- The store's clock

// A reply is never younger than it says, so the largest difference is the best.
let skews = [];
function setClock(now) {
  skews = [...skews, Date.parse(now) - performance.now()].slice(-30);
}
const storeNow = () => skews.length ? performance.now() + Math.max(...skews) : Date.now();
