// wasm-opt --minify-imports-and-exports … | node core.js MODULE.wasm: what JavaScript imports to call by its own name what the
// module exports by a letter. An object of exports has them in the module's order.

import { readFileSync } from 'node:fs';

const names = new Map(JSON.parse(readFileSync(0, 'utf8')).exports.map(([name, letter]) => [letter, name]));
const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const list = WebAssembly.Module.exports(module).map(({ name }) => names.get(name)).join(', ');
console.log(`// What the module exports; nothing before it was started.
export let ${list};

export function begin(exports) {
  [${list}] = Object.values(exports);
}`);
