// ---------------------------------------------------------------- What an entry is

const TEXT_BYTES = 4 << 20;        // most bytes of an entry that are read as text

const ascii = (data, start, end) => String.fromCharCode(...data.subarray(start, end));

function pictureType(data) {
  if (data[0] === 0xff && data[1] === 0xd8 && data[2] === 0xff) return "jpeg";
  if (ascii(data, 0, 8) === "\x89PNG\r\n\x1a\n") return "png";
  if (ascii(data, 0, 4) === "GIF8") return "gif";
  return ascii(data, 0, 4) === "RIFF" && ascii(data, 8, 12) === "WEBP" ? "webp" : null;
}

const isWav = data => ascii(data, 0, 4) === "RIFF" && ascii(data, 8, 12) === "WAVE";

// A canvas shows one frame, so what may move goes to an <img>.
const moves = (data, type) => type === "gif" || (type === "webp" && ascii(data, 12, 16) === "VP8X" && (data[20] & 2) !== 0);

// The text of an entry, or null when it is none.
function textOf(data) {
  const cut = data.length > TEXT_BYTES;
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(data.subarray(0, TEXT_BYTES), { stream: cut });
    return /[\x00-\x08\x0e-\x1a\x1c-\x1f]/.test(text) ? null : text;
  } catch {
    return null;
  }
}

function isJson(text) {
  if (!/^\s*[{[]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function kindOf(data) {
  if (view.as !== "auto") return view.as;
  if (pictureType(data)) return "picture";
  if (isWav(data)) return "wav";
  const text = textOf(data);
  if (text === null) return "hex";
  return isJson(text) ? "json" : "text";
}

function extensionOf(data) {
  const kind = kindOf(data);
  if (kind === "picture") return (pictureType(data) ?? "bin").replace("jpeg", "jpg");
  return { json: "json", text: "txt", wav: "wav" }[kind] ?? "bin";
}
