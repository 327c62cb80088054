"use strict";
// The files of this folder are one script, in the order of src/rest/live.rs.
// Everything that comes from a stream or a name reaches the page as text (textContent) or pixels, never as markup.

// ---------------------------------------------------------------- Small tools

const STATUS_MS = 20_000;          // how long the status line keeps a message

const $ = id => document.getElementById(id);
// Characters that turn the reading direction, or show nothing, would make one name look like another.
const visible = name => name.replace(/[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, c => `⟨U+${c.charCodeAt(0).toString(16).toUpperCase()}⟩`);
const sleep = ms => new Promise(done => setTimeout(done, ms));
const nextFrame = () => Promise.race([new Promise(requestAnimationFrame), sleep(FRAME_MS)]);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// The one live region: what a sighted user sees in the status line, a screen reader says.
let forgetting;
function say(text, bad = false) {
  clearTimeout(forgetting);
  if (text) forgetting = setTimeout(say, STATUS_MS, "");
  setText($("status"), visible(text));   // it may name a stream
  $("status").classList.toggle("error", bad);
}

// Escapes what encodeURIComponent leaves, too: these end up in shell lines.
const encode = text => encodeURIComponent(text).replace(/[!'()*]/g, c => "%" + c.charCodeAt(0).toString(16).toUpperCase());

const whole = new Intl.NumberFormat("en");
function number(value) {
  if (value > 0 && value < 0.005) return "<0.01";
  return value >= 100 || value === 0 ? whole.format(Math.round(value)) : value.toFixed(value >= 10 ? 1 : 2);
}

function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(2)} MB`;
}

function duration(ms) {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

// Entry ids are "<milliseconds>-<sequence>", each of up to 64 bits.
const msOf = id => Number(id.split("-")[0]);
const parts = id => id.split("-").map(BigInt);

function compareIds(a, b) {
  const [[aMs, aSeq], [bMs, bSeq]] = [parts(a), parts(b)];
  const [x, y] = aMs === bMs ? [aSeq, bSeq] : [aMs, bMs];
  return x < y ? -1 : Number(x > y);
}

function idBefore(id) {
  const [ms, seq] = parts(id);
  if (seq > 0n) return `${ms}-${seq - 1n}`;
  return ms > 0n ? `${ms - 1n}-${2n ** 64n - 1n}` : "0";
}

function timeText(id) {
  const time = new Date(msOf(id));
  if (Number.isNaN(time.getTime())) return "–";
  return `${time.toLocaleString("sv-SE")}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}
