// ---------------------------------------------------------------- Drawing: one at a time, the newest wins

const TEXT_MS = 100;               // text that changes faster cannot be read
const FRAME_MS = 250;              // a window out of sight gets no frames
const DECODE_MS = 5000;            // what takes longer to decode counts as broken, so that the pull goes on
const CLIP = { lines: 60, chars: 6000, hex: 1024 };           // shown at first
const FULL = { lines: 5000, chars: 1 << 20, hex: 64 << 10 };  // shown on demand
const INLINE_CHARS = 72;           // JSON lists and objects up to this length stay on one line
const MAX_INDENT = 40;
const MAX_SIDE = 4096;             // pixels; larger pictures are scaled down

// Resolves once the entry is on the screen, or a newer one took its place.
function draw(entry) {
  view.pending?.done();
  return new Promise(done => {
    view.pending = { entry, done };
    if (!view.drawing) drawAll();
  });
}

function redraw() {
  if (view.shown && !view.pending) draw(view.shown);
}

async function drawAll() {
  view.drawing = true;
  try {
    while (view.pending) {
      const { entry, done } = view.pending;
      view.pending = null;
      const kind = kindOf(entry.data);
      await drawOne(entry, kind);
      done();
      await (kind === "picture" ? nextFrame() : sleep(TEXT_MS));
    }
  } finally {
    view.drawing = false;
  }
}

// What took too long to decode may be there at last when a later entry is shown, which it must not cover.
let drawings = 0;

async function drawOne(entry, kind) {
  const { name } = view;
  const own = ++drawings;
  let what;
  try {
    what = await (DRAWERS[kind] ?? drawPcm)(entry.data, kind, () => own === drawings && name === view.name);
  } catch (error) {
    what = `${drawHex(entry.data)}; ${error.message}`;
  }
  if (name !== view.name) return showNothing();
  Object.assign(view, { shown: entry, what });
  view.drawn += 1;
  // Lag makes sense for what came while we listened, not for what was there before.
  view.lag = msOf(entry.id) >= view.openedBy && !view.paused ? Math.max(0, storeNow() - msOf(entry.id)) : null;
  if (view.paused) showLines();
  showFacts();
}

const DRAWERS = {
  picture: drawPicture, json: drawJson, text: drawText, hex: drawHex,
  wav: data => drawWave(readWav(data)),
};

function showStage(kind, full) {
  $("stage").dataset.kind = kind;
  $("more").hidden = full === undefined;
  $("more").ariaExpanded = String(view.expanded);
  setText($("more"), view.expanded ? "Show less" : full ?? "");
}

function showNothing() {
  if (view.name) return;
  showStage("none");
  setText($("text"), "");
  $("picture").width = $("wave").width = 0;
  $("animation").removeAttribute("src");
  $("facts").replaceChildren();
}

async function drawPicture(data, kind, wanted) {
  const type = pictureType(data);
  const blob = new Blob([data], { type: `image/${type ?? "png"}` });
  try {
    const painted = moves(data, type) ? paintAnimation(blob, wanted) : paintBitmap(blob, wanted);
    const sides = await Promise.race([painted, sleep(DECODE_MS)]);
    if (!sides) drawings += 1;   // it counts as broken, and must not cover what says so either
    const [width, height] = sides;
    return `${(type ?? "picture").toUpperCase()} ${width} × ${height}`;
  } catch {
    throw new Error("a picture that does not decode");
  }
}

async function paintBitmap(blob, wanted) {
  const bitmap = await createImageBitmap(blob);
  const { width, height } = bitmap;
  if (wanted()) {
    const canvas = $("picture");
    const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
    const [w, h] = [Math.ceil(width * scale), Math.ceil(height * scale)];
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    const paper = canvas.getContext("2d");
    paper.clearRect(0, 0, w, h);
    paper.drawImage(bitmap, 0, 0, w, h);
    canvas.classList.toggle("tiny", w < 100);
    canvas.ariaLabel = `Picture, ${width} by ${height}`;
    showStage("picture");
  }
  bitmap.close();
  return [width, height];
}

async function paintAnimation(blob, wanted) {
  const url = URL.createObjectURL(blob);
  const image = $("animation");
  try {
    image.src = url;
    await image.decode();
    if (wanted()) {
      image.alt = `Picture, ${image.naturalWidth} by ${image.naturalHeight}`;
      showStage("animation");
    }
    return [image.naturalWidth, image.naturalHeight];
  } finally {
    URL.revokeObjectURL(url);
  }
}

function drawText(data) {
  const text = textOf(data) ?? new TextDecoder().decode(data.subarray(0, TEXT_BYTES));
  showPieces([[text, ""]], data.length);
  return text === "" ? "empty" : "text";
}

function drawJson(data) {
  const text = textOf(data) ?? "";
  if (!isJson(text)) {
    drawText(data);
    return "not JSON, shown as text";
  }
  showPieces(jsonPieces(text), data.length);
  return "JSON";
}

// Only the white space is ours: numbers and doubled keys stay as they were sent, which JSON.parse would change.
function* jsonPieces(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  let depth = 0, inlineTo = -1;
  const newLine = () => ["\n" + "  ".repeat(Math.min(depth, MAX_INDENT)), ""];
  for (const [i, token] of tokens.entries()) {
    const inline = i <= inlineTo;
    if ("{[".includes(token)) {
      depth += 1;
      if (!inline) inlineTo = endOfShort(tokens, i);
      yield [token, ""];
      if (inlineTo < i) yield newLine();
    } else if ("}]".includes(token)) {
      depth -= 1;
      if (!inline) yield newLine();
      yield [token, ""];
    } else if (token === ",") {
      yield [inline ? ", " : ",", ""];
      if (!inline) yield newLine();
    } else if (token === ":") {
      yield [": ", ""];
    } else {
      yield [token, token[0] !== '"' ? "number" : tokens[i + 1] === ":" ? "key" : "string"];
    }
  }
}

// Where a short list or object without others inside ends, or -1.
function endOfShort(tokens, start) {
  let length = 0;
  for (let i = start + 1; i < tokens.length && length <= INLINE_CHARS; i++) {
    if ("}]".includes(tokens[i])) return i;
    if ("{[".includes(tokens[i])) return -1;
    length += tokens[i].length + 1;
  }
  return -1;
}

// Writes [text, class] pieces until lines or characters run out.
function showPieces(pieces, bytes) {
  const limit = view.expanded ? FULL : CLIP;
  const page = new DocumentFragment();
  let { lines, chars } = limit, cut = false;
  for (const [text, className] of pieces) {
    let end = Math.min(text.length, chars);
    for (let at = text.indexOf("\n"); at >= 0 && at < end; at = text.indexOf("\n", at + 1)) {
      if (--lines <= 0) end = at;
    }
    page.append(className ? make("span", { className }, text.slice(0, end)) : text.slice(0, end));
    chars -= end;
    cut = end < text.length;
    if (cut) break;
  }
  $("text").replaceChildren(page);
  showStage("text", cut || view.expanded || bytes > TEXT_BYTES ? `Show more of ${size(bytes)}` : undefined);
}

function drawHex(data) {
  const limit = (view.expanded ? FULL : CLIP).hex;
  const width = $("stage").clientWidth < 560 ? 8 : 16;
  const lines = [];
  for (let at = 0; at < Math.min(limit, data.length); at += width) {
    const row = [...data.subarray(at, Math.min(at + width, limit))];
    const hex = row.map(byte => byte.toString(16).padStart(2, "0")).join(" ").padEnd(3 * width);
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex} ${row.map(byte => byte > 31 && byte < 127 ? String.fromCharCode(byte) : "·").join("")}`);
  }
  $("text").textContent = lines.join("\n");
  showStage("hex", data.length > CLIP.hex ? `Show more of ${size(data.length)}` : undefined);
  return data.length ? "bytes" : "empty";
}

