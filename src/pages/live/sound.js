// ---------------------------------------------------------------- Sound

const SAMPLES = {
  u8: { bytes: 1, read: (view, at) => view.getUint8(at) / 128 - 1 },
  s16le: { bytes: 2, read: (view, at) => view.getInt16(at, true) / 2 ** 15 },
  s24le: { bytes: 3, read: (view, at) => (view.getInt16(at + 1, true) * 256 + view.getUint8(at)) / 2 ** 23 },
  s32le: { bytes: 4, read: (view, at) => view.getInt32(at, true) / 2 ** 31 },
  f32le: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  f64le: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};

function readWav(data) {
  const words = new DataView(data.buffer, data.byteOffset, data.length);
  let sound = null;
  if (!isWav(data)) throw new Error("no WAV");
  for (let at = 12; at + 8 <= data.length;) {
    const [name, length] = [ascii(data, at, at + 4), words.getUint32(at + 4, true)];
    if (name === "fmt " && at + 24 <= data.length) sound = readFormat(words, at + 8, length);
    // A recorder that streams does not know the length yet and writes one that is too large.
    if (name === "data" && sound) return { ...sound, data: data.subarray(at + 8, at + 8 + length) };
    at += 8 + length + length % 2;
  }
  throw new Error("a WAV without sound");
}

function readFormat(words, at, length) {
  const tag = words.getUint16(at, true);
  const code = tag === 0xfffe && length >= 26 ? words.getUint16(at + 24, true) : tag;
  const bits = words.getUint16(at + 14, true);
  const format = { 1: bits === 8 ? "u8" : `s${bits}le`, 3: `f${bits}le` }[code];
  if (!SAMPLES[format]) throw new Error(`a WAV of encoding ${code} with ${bits} bits, which is not drawn`);
  return { format, channels: words.getUint16(at + 2, true), rate: words.getUint32(at + 4, true), label: "WAV" };
}

function drawPcm(data, kind) {
  const [format, channels] = kind.split("-");
  return drawWave({ format, channels: Number(channels), rate: 0, label: "PCM", data });
}

function drawWave({ format, channels, rate, label, data }) {
  const { bytes, read } = SAMPLES[format];
  if (channels < 1 || channels > 64) throw new Error(`${channels} channels`);
  const frames = Math.floor(data.length / (bytes * channels));
  const words = new DataView(data.buffer, data.byteOffset, data.length);
  showStage("wave");
  const canvas = $("wave");
  const scale = devicePixelRatio;
  Object.assign(canvas, { width: canvas.clientWidth * scale, height: canvas.clientHeight * scale });
  for (let channel = 0; channel < channels; channel++) {
    const sample = frame => read(words, (frame * channels + channel) * bytes);
    drawLane(canvas, canvas.height / channels, channel, frames, sample);
  }
  const time = rate ? `, ${whole.format(rate)} Hz, ${(frames / rate).toFixed(3)} s` : "";
  canvas.ariaLabel = `Waveform of ${frames} samples`;
  return `${label} ${format}, ${channels} channel${channels > 1 ? "s" : ""}${time}, ${whole.format(frames)} samples`;
}

// Every sample counts: a column of pixels reaches from the least to the greatest of its samples.
function drawLane(canvas, height, lane, frames, sample) {
  const paper = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const y = value => height * (lane + 0.5 - 0.46 * Math.max(-1, Math.min(1, value)));
  paper.fillStyle = style.getPropertyValue("--line");
  paper.fillRect(0, y(0), canvas.width, 1);
  paper.fillStyle = style.getPropertyValue("--accent");
  for (let x = 0; x < canvas.width && frames > 0; x++) {
    const start = Math.floor(x * frames / canvas.width);
    // One sample of the next column joins the columns to a line.
    const end = Math.min(frames, Math.max(start + 1, Math.floor((x + 1) * frames / canvas.width) + 1));
    let [least, most] = [Infinity, -Infinity];
    for (let frame = start; frame < end; frame++) {
      const value = sample(frame);
      if (value < least) least = value;
      if (value > most) most = value;
    }
    if (least <= most) paper.fillRect(x, y(most), 1, Math.max(devicePixelRatio, y(least) - y(most)));
  }
}

