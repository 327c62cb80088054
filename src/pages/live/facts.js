// ---------------------------------------------------------------- Facts about the entry shown

const FACTS_MS = 250;
const FACTS_S = 2;                 // seconds that the rate of drawing is averaged over

function showFacts() {
  if (!view.name || !view.shown) return;
  const { id, data } = view.shown;
  const stream = streams.get(view.name);
  const live = !view.paused && !verdict.old;
  const rates = live && stream ? ratesOf(stream) : null;
  const now = storeNow();
  const facts = {
    "Entry id": id, Stored: timeText(id), Size: size(data.length), Kind: view.what,
    Rate: rates ? `${number(rates.entries)}/s, ${number(rates.bytes / 1e6)} MB/s` : "–",
    Drawn: live ? `${number(drawnPerSecond())}/s` : "–",
    Lag: view.lag === null || !live ? "–" : view.lag < 1000 ? `${Math.round(view.lag)} ms` : duration(view.lag),
    Age: ageText(id, now),
  };
  const cells = $("facts").querySelectorAll("dd");
  if (cells.length) Object.values(facts).forEach((text, i) => setText(cells[i], text));
  else {
    $("facts").replaceChildren(...Object.entries(facts).map(([name, text]) =>
      make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: text }))));
  }
  $("facts").lastElementChild.title = ageTitle(id, now);
}

function drawnPerSecond() {
  const [first] = view.ticks;
  const seconds = first ? (performance.now() - first.at) / 1000 : 0;
  return seconds > 0 ? (view.drawn - first.drawn) / seconds : 0;
}

setInterval(() => {
  if (!view.name || document.hidden) return;
  view.ticks = [...view.ticks, { at: performance.now(), drawn: view.drawn }].slice(-FACTS_S * 1000 / FACTS_MS);
  showFacts();
}, FACTS_MS);
