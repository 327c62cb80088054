// ---------------------------------------------------------------- The table: all streams, of which only the rows in sight are made

const ROW_PX = 46;                 // as in page.css
const SPARE_ROWS = 6;              // made beyond those in sight, so that scrolling meets no hole
const SUGGESTIONS = 50;            // names offered when pushing

let shown = { names: [], changes: -1, filter: "" };
let placed = "";                   // what the table body was last put together for

// The names that the filter lets through. Sorting and filtering look at all streams, but only when something changed.
function filtered() {
  const filter = $("filter").value.trim().toLowerCase();
  if (shown.changes !== changes || shown.filter !== filter) {
    shown = { names: names.filter(name => streams.get(name).text.includes(filter)), changes, filter };
  }
  return shown.names;
}

function showTable() {
  const some = filtered();
  const nothing = known.asOf === null;
  $("empty").hidden = nothing || names.length > 0;
  $("list").hidden = some.length === 0;
  $("no-match").hidden = some.length > 0 || names.length === 0;
  if (!$("empty").hidden) showFirstLines();
  showSummary();
  showRows();
}

function showSummary() {
  const rates = ratesOfAll();
  const count = `${whole.format(names.length)} stream${names.length === 1 ? "" : "s"}`;
  const pace = rates && !verdict.old ? ` · ${number(rates.entries)} entries/s · ${number(rates.bytes / 1e6)} MB/s` : "";
  setText($("summary"), known.asOf === null ? "" : count + pace);
}

// Makes and fills the rows in sight, and the one that has the focus: it must not be lost by scrolling.
function showRows() {
  const list = $("list");
  const some = filtered();
  const first = Math.max(0, Math.floor(list.scrollTop / ROW_PX) - SPARE_ROWS);
  const last = Math.min(some.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW_PX) + SPARE_ROWS);
  const places = Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i);
  const focused = some.indexOf(focusedName());
  if (focused >= 0 && focused < first) places.unshift(focused);
  if (focused >= last) places.push(focused);
  placeRows(places);
  places.forEach(place => showRow(streams.get(some[place])));
}

const focusedName = () => $("rows").contains(document.activeElement) ? document.activeElement.closest("tr").streamName : null;

function placeRows(places) {
  const all = filtered();
  const wanted = `${places.join()} ${changes} ${shown.filter}`;
  if (wanted === placed) return;
  placed = wanted;
  const lines = [];
  let next = 0;
  for (const place of places) {
    if (place > next) lines.push(makeGap(place - next));
    const stream = streams.get(all[place]);
    stream.row ??= makeRow(all[place]);
    stream.row.line.ariaRowIndex = String(place + 2);
    lines.push(stream.row.line);
    next = place + 1;
  }
  if (all.length > next) lines.push(makeGap(all.length - next));
  $("table").ariaRowCount = String(all.length + 1);
  replaceLines(lines);
}

// Rows that stay are not moved: moving one would take the focus away from it.
function replaceLines(lines) {
  const stay = new Set(lines);
  for (const line of [...$("rows").children]) {
    if (stay.has(line)) continue;
    line.remove();
    const stream = streams.get(line.streamName);
    if (stream?.row?.line === line) stream.row = null;
  }
  let place = $("rows").firstElementChild;
  for (const line of lines) {
    if (line === place) place = place.nextElementSibling;
    else $("rows").insertBefore(line, place);
  }
}

// Stands for rows that are not made.
function makeGap(rows) {
  const gap = make("tr", { className: "gap", ariaHidden: "true" }, make("td", { colSpan: 5 }));
  gap.style.height = `${rows * ROW_PX}px`;
  return gap;
}

function makeRow(name) {
  const link = make("a", { href: hashOf(name), title: visible(name) }, make("bdi", { textContent: visible(name) }));
  const row = {
    link, description: make("p", { className: "quiet", dir: "auto" }), entries: make("span"), kept: make("small"),
    rate: makeRate(), bytes: makeRate(), age: make("span", { className: "age" }),
  };
  row.line = make("tr", { streamName: name, onclick: event => event.target.closest("a") || link.click() },
    make("th", { scope: "row" }, link, row.description), make("td", {}, row.entries, " ", row.kept),
    make("td", {}, row.rate.box), make("td", {}, row.bytes.box), make("td", {}, row.age));
  return row;
}

function makeRate() {
  const svg = name => document.createElementNS("http://www.w3.org/2000/svg", name);
  const [chart, area, line, text] = [svg("svg"), svg("path"), svg("path"), make("span")];
  chart.setAttribute("class", "chart");
  chart.setAttribute("viewBox", "0 0 100 20");
  chart.setAttribute("preserveAspectRatio", "none");
  chart.setAttribute("aria-hidden", "true");
  area.setAttribute("class", "area");
  chart.append(area, line);
  return { box: make("div", { className: "rate" }, chart, text), area, line, text };
}

function showRow(stream) {
  const { info, row } = stream;
  const version = `${lookedAt()} ${verdict.old} ${info.id === view.name}`;
  if (row.version === version) return;
  row.version = version;
  const rates = verdict.old ? null : ratesOf(stream);
  const description = info.error ?? (info.description === info.id ? "" : info.description ?? "");
  setText(row.description, description);
  if (row.description.title !== description) row.description.title = description;
  setText(row.entries, whole.format(info.entries));
  setText(row.kept, `of ${whole.format(info.max_len)}`);
  setText(row.rate.text, rates ? `${info.entries_added === null ? "≥ " : ""}${number(rates.entries)}` : "–");
  setText(row.bytes.text, rates ? number(rates.bytes / 1e6) : "–");
  showChart(row.rate, stream, "entries");
  showChart(row.bytes, stream, "bytes");
  showAge(row.age, info);
  if (info.id === view.name) row.line.ariaCurrent = "true";
  else row.line.removeAttribute("aria-current");
}

function showAge(cell, info) {
  const state = stateOf(info);
  const age = info.newest_id ? ageText(info.newest_id, lookedAt()) : info.error ? "unreadable" : "empty";
  setText(cell, state === "unknown" ? "–" : state === "late" || state === "silent" ? `${age} ${state}` : age);
  cell.title = info.newest_id ? ageTitle(info.newest_id, lookedAt()) : "";
  cell.dataset.state = state;
}

// As the store says, as long as what it said is not old.
const stateOf = info => verdict.old ? "unknown" : info.state;

function showChart(rate, { arrivals, since }, key) {
  const per = new Map(arrivals.map(one => [one.look, one[key]]));
  const values = looks.filter(look => look.at > since && look.seconds > 0).map(look => ({ look, value: (per.get(look) ?? 0) / look.seconds }));
  const most = Math.max(...values.map(one => one.value), 1e-9);
  const points = values.map(({ look, value }) =>
    `${(100 - (lookedAt() - look.at) / (CHART_S * 10)).toFixed(1)} ${(19 - 18 * value / most).toFixed(1)}`);
  const line = points.length > 1 ? `M${points.join("L")}` : "";
  if (line === rate.drawn) return;
  rate.drawn = line;
  rate.line.setAttribute("d", line);
  rate.area.setAttribute("d", line && `${line}L100 20L${points[0].split(" ")[0]} 20Z`);
}

// ---------------------------------------------------------------- Moving in the table

function moveInTable(event) {
  const at = filtered().indexOf(focusedName());
  const page = Math.max(1, Math.floor($("list").clientHeight / ROW_PX) - 1);
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
  if (at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
  if (steps[event.key]) {
    event.preventDefault();
    focusRow(at + steps[event.key]);
  } else if (event.key.length === 1 && event.key !== " ") {
    $("filter").focus();           // and the character is typed there
  }
}

function focusRow(wanted) {
  const some = filtered();
  if (!some.length) return;
  const place = Math.max(0, Math.min(some.length - 1, wanted));
  reveal(place);
  showRows();
  streams.get(some[place]).row?.link.focus({ preventScroll: true });
}

// Scrolls the list so that a row is in sight.
function reveal(place) {
  const list = $("list");
  const head = $("table").tHead.offsetHeight;
  const [top, bottom] = [place * ROW_PX, (place + 1) * ROW_PX + head];
  if (top < list.scrollTop) list.scrollTop = top;
  else if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
}

// From the filter into the list, and to the first of it.
function leaveFilter(event) {
  if (event.key === "ArrowDown") focusRow(0);
  else if (event.key === "Enter" && filtered().length) location.hash = hashOf(filtered()[0]);
  else return;
  event.preventDefault();
}

function filterChanged() {
  $("list").scrollTop = 0;
  showTable();
}

let scrolling = false;
function scrolled() {
  if (scrolling) return;
  scrolling = true;
  requestAnimationFrame(() => {
    scrolling = false;
    if (session.open && filtered().length) showRows();
  });
}

// Names to push to that contain what is typed: no list holds ten thousand.
function suggest() {
  const typed = $("push-name").value.toLowerCase();
  const found = [];
  for (const name of names) {
    if (found.length === SUGGESTIONS) break;
    if (name.toLowerCase().includes(typed)) found.push(name);
  }
  $("names").replaceChildren(...found.map(value => make("option", { value })));
}
