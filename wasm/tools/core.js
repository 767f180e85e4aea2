// wasm-opt --minify-imports-and-exports … | node core.js: what JavaScript imports to call by its own name what the module
// exports by a letter.

import { readFileSync } from 'node:fs';

const { exports } = JSON.parse(readFileSync(0, 'utf8'));
const names = exports.map(([name]) => name);
const letters = exports.map(([name, letter]) => `${letter}: ${name}`);
console.log(`// What the module exports; nothing before it was started.
export let ${names.join(', ')};

export function begin(exports) {
  ({ ${letters.join(', ')} } = exports);
}`);
