// The border to the core, which is compiled from Rust: strings and numbers are written to memory that both sides know, and
// what comes back is a number.

import * as core from '../dist/parts/core.js';
import { WavefrontError, ofCode } from './error.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

let bytes = new Uint8Array(0);
let words = new Uint32Array(0);
let numbers = new Float64Array(0);

// Starts the core from a WebAssembly.Module or its bytes.
export function start(source) {
  begin(new WebAssembly.Instance(source instanceof WebAssembly.Module ? source : new WebAssembly.Module(source)));
}

// Starts it from what can be fetched or compiled, without blocking.
export async function startFrom(source) {
  if (!core.memory) begin(await instance(await source));
}

async function instance(source) {
  let from = source;
  if (typeof from === 'string' || from instanceof URL || from instanceof Request) from = await fetch(from);
  if (from instanceof Response) {
    if (!from.ok) throw new Error(`the module could not be fetched: ${from.status} ${from.url}`);
    // Where the server does not say what it is, it cannot be compiled while it comes.
    const streams = (BROWSER || WebAssembly.instantiateStreaming) && from.headers.get('Content-Type') === 'application/wasm';
    if (streams) return (await WebAssembly.instantiateStreaming(from)).instance;
    from = await from.arrayBuffer();
  }
  const made = await WebAssembly.instantiate(from);
  return made.instance ?? made;
}

function begin({ exports }) {
  // Of two that started at once the first counts.
  if (!core.memory) core.begin(exports);
}

// Says no where init() was not waited for.
export function started() {
  if (!core.memory) throw new WavefrontError('not-started', 'call init() and wait for it first');
}

// Sees to it that the views are good for this much. They are gone whenever the memory has grown.
function ready(text, lengths, figures) {
  if (bytes.length >= text && words.length >= lengths && numbers.length >= figures) return;
  const [length, count, amount] = [text, lengths, figures].map((size) => Math.max(size, 4096));
  // This may move the memory.
  const at = core.areas(length, count, amount) >>> 0;
  words = new Uint32Array(core.memory.buffer, at, count);
  bytes = bytesAt(words[count - 2], length);
  numbers = new Float64Array(core.memory.buffer, words[count - 1], amount);
}

// Writes strings to where the core reads them, and says how many there are. No code but ours runs meanwhile: what the
// caller gave was read before.
export function write(strings, figures) {
  const count = strings.length;
  let text = '';
  for (let i = 0; i < count; i++) text += strings[i];
  // At least one, as a view that is gone has none.
  ready(text.length * 3 + 1, count, figures.length);
  numbers.set(figures);
  for (let i = 0; i < count; i++) words[i] = strings[i].length;
  if (encoder.encodeInto(text, bytes).written !== text.length) {
    // Not only ASCII: the lengths in bytes are others.
    for (let i = 0, at = 0; i < count; i++) {
      at += words[i] = encoder.encodeInto(strings[i], bytes.subarray(at)).written;
    }
  }
  return count;
}

// The text that the last call left.
export const out = () => decoder.decode(bytesAt(...wordsOut(2)));

// The first words and numbers that the last call left.
export function wordsOut(count) {
  ready(1, 1, 1);
  return words.slice(0, count);
}

export function numbersOut(count) {
  ready(1, 1, 1);
  return numbers.slice(0, count);
}

// What the next call reads.
export function setWords(values) {
  ready(1, values.length, 1);
  words.set(values);
}

export function setNumber(value) {
  ready(1, 1, 1);
  numbers[0] = value;
}

// Bytes of the core's, until its memory grows, and a copy of such.
export const bytesAt = (at, length) => new Uint8Array(core.memory.buffer, at, length);
export const copyOf = (at, length) => bytesAt(at, length).slice();

// The number, where it says that it went well; else what went wrong is thrown.
export function checked(code) {
  if (code >= 0) return code;
  const [field, problem, ...message] = out().split('\n');
  throw ofCode(code, message.join('\n'), field, problem);
}
