// node room.js MODULE.wasm: what takes the room in a module that has its functions' names (`wasm/build --room`
// makes one): bytes of code by the part of the sources that they come from, as a table. What was inlined counts where it went.

import { readFileSync } from 'node:fs';

const [CUSTOM, IMPORT, CODE, DATA] = [0, 2, 10, 11];

// The first part whose pattern is found in a function's name. An export has lost its path, and holds what only it calls.
const PARTS = [
  ['numbers as text', /\b(ryu|itoa)::|wavefront_sdk::line::number/],
  ['lines: `src/line`, `src/prepared.rs`', /wavefront_sdk::(line|prepared|data|error)/],
  [
    'queue, delivery, ledger: `src/delivery`, `src/uplink`',
    /wavefront_sdk::(delivery|uplink)|^(due|answer|\w+_flush|\w+_close|left|ledger|seed)$/,
  ],
  ['the border: `wasm/src`', /wavefront_sdk|^\w+$/],
  ['memory: the allocator, `Vec`, `Box`', /\b(talc|alloc|__rustc)\b|__rust_|drop_in_place/],
  ['the rest of `core`, ids', /./],
];

const bytes = readFileSync(process.argv[2]);
let at = 8;

function number() {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return value;
  }
}

function text() {
  const length = number();
  at += length;
  return bytes.toString('utf8', at - length, at);
}

const sizes = [];
const names = new Map();
let data = 0;

function sections(end) {
  while (at < end) {
    const [id, size] = [bytes[at++], number()];
    const next = at + size;
    if (id === CUSTOM && text() === 'name') functionNames(next);
    if (id === IMPORT) throw new Error('the module is not to import anything');
    if (id === CODE) codeSizes();
    if (id === DATA) data = size;
    at = next;
  }
}

function codeSizes() {
  for (let left = number(); left > 0; left--) {
    const size = number();
    sizes.push(size);
    at += size;
  }
}

function functionNames(end) {
  while (at < end) {
    const [id, size] = [bytes[at++], number()];
    const next = at + size;
    if (id === 1) for (let left = number(); left > 0; left--) names.set(number(), text());
    at = next;
  }
}

sections(bytes.length);
const rows = new Map(PARTS.map(([part]) => [part, 0]));
sizes.forEach((size, index) => {
  const [part] = PARTS.find(([, pattern]) => pattern.test(names.get(index) ?? '?'));
  rows.set(part, rows.get(part) + size);
});
rows.set('constants and text', data);
console.log('| bytes | what |\n|---|---|');
const largest = [...rows].sort(([, a], [, b]) => b - a);
for (const [part, size] of largest) console.log(`| ${size.toLocaleString('en')} | ${part} |`);
