// node exports.js MODULE.wasm: what JavaScript needs of the module, as wasm-metadce wants to hear it. The exports of
// wasm-bindgen's own (and what only they reach) are for objects of JavaScript, of which this module has none.

import { readFileSync } from 'node:fs';

const names = WebAssembly.Module.exports(new WebAssembly.Module(readFileSync(process.argv[2])))
  .map(({ name }) => name)
  .filter((name) => !name.startsWith('__'));
const exports = names.map((name) => ({ name, export: name }));
console.log(JSON.stringify([{ name: 'JavaScript', root: true, reaches: names }, ...exports]));
