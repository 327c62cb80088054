// ---------------------------------------------------------------- What each stream did lately

const CHART_S = 40;                // seconds that a small chart shows
const RATE_S = 5;                  // seconds that a rate is averaged over
const SKEW_MS = 60_000;            // how far the clocks of Redis and of the store may differ; see rhythm.rs
const EARLIEST_MS = 946_684_800_000;   // ids before the year 2000 are no times

const streams = new Map();         // name -> {info, since, arrivals, text, row}
let looks = [];                    // the overviews of the last seconds: {at, seconds, entries, bytes}, store's time in ms
let names = [];                    // all streams, sorted
let changes = 0;                   // of names and descriptions: what was sorted and filtered is good until then

const lookedAt = () => looks.at(-1)?.at ?? 0;

function forgetStreams() {
  streams.clear();
  [looks, names] = [[], []];
  changes += 1;
}

// With ten thousand streams this is most of what the page does, so a stream that did nothing costs next to nothing.
function learnStreams(activity) {
  $("describe-form").elements.max_len.placeholder = activity.default_max_len;
  const at = Date.parse(activity.time);
  const seconds = (at - lookedAt()) / 1000;
  if (seconds === 0) return;       // the same overview once more
  // A tab that slept starts a new history.
  const anew = seconds < 0 || seconds > CHART_S;
  const look = { at, seconds: anew ? 0 : seconds, entries: 0, bytes: 0 };
  if (anew) streams.forEach(stream => { Object.assign(stream, { arrivals: [], since: at }); });
  looks = [...(anew ? [] : looks), look].filter(one => one.at > at - CHART_S * 1000);
  const before = streams.size;
  const fellSilent = activity.streams.filter(info => learnStream(info, look, anew));
  if (fellSilent.length) say(`${fellSilent[0].id}${fellSilent.length > 1 ? ` and ${fellSilent.length - 1} more` : ""} fell silent.`, true);
  const gone = streams.size > activity.streams.length;
  if (gone) forgetOthers(new Set(activity.streams.map(info => info.id)));
  if (gone || streams.size !== before) {
    names = [...streams.keys()].sort();
    changes += 1;
  }
}

function forgetOthers(present) {
  for (const name of streams.keys()) if (!present.has(name)) streams.delete(name);
}

// Returns whether it fell silent since the last overview.
function learnStream(info, look, anew) {
  let stream = streams.get(info.id);
  if (!stream) streams.set(info.id, stream = { info, since: look.at, arrivals: [], text: null, row: null });
  if (stream.text === null || stream.info.description !== info.description) {
    stream.text = `${info.id}\n${info.description ?? ""}`.toLowerCase();
    changes += 1;
  }
  const fellSilent = stream.info.state !== "silent" && info.state === "silent";
  const added = anew ? 0 : addedBetween(stream.info, info);
  stream.info = info;
  if (added < 0) Object.assign(stream, { arrivals: [], since: look.at });   // begun anew
  if (added <= 0) return fellSilent;
  const bytes = added * (info.newest_bytes ?? 0);
  stream.arrivals = stream.arrivals.filter(one => one.look.at > look.at - CHART_S * 1000);
  stream.arrivals.push({ look, entries: added, bytes });
  look.entries += added;
  look.bytes += bytes;
  return fellSilent;
}

// Old servers do not count what was ever added: then growth and a change of the newest id are all we know.
function addedBetween(last, next) {
  if (last.entries_added !== null && next.entries_added !== null) return next.entries_added - last.entries_added;
  return Math.max(next.entries - last.entries, Number(next.newest_id !== last.newest_id && next.newest_id !== null));
}

const recent = look => look.at > lookedAt() - RATE_S * 1000;

// Null until two overviews tell what came in between.
function ratesOf({ arrivals, since }) {
  const sum = key => arrivals.filter(one => recent(one.look)).reduce((sum, one) => sum + one[key], 0);
  return perSecond(sum, looks.filter(look => recent(look) && look.at > since));
}

function ratesOfAll() {
  const lately = looks.filter(recent);
  return perSecond(key => lately.reduce((sum, look) => sum + look[key], 0), lately);
}

function perSecond(sum, looks) {
  const seconds = looks.reduce((sum, look) => sum + look.seconds, 0);
  return seconds > 0 ? { entries: sum("entries") / seconds, bytes: sum("bytes") / seconds } : null;
}

// The age of an entry, or what its id is instead of a time.
function ageText(id, now) {
  const ms = msOf(id);
  if (ms < EARLIEST_MS) return "no time";
  return ms > now + SKEW_MS ? `${duration(ms - now)} ahead` : duration(now - ms);
}

// The same for a tooltip; nothing where the age says it all.
function ageTitle(id, now) {
  const ms = msOf(id);
  if (ms < EARLIEST_MS) return `Whoever pushed it chose the id ${id}, which is no time`;
  return ms > now + SKEW_MS ? `The newest id, ${id}, is ahead of the store's clock` : "";
}
