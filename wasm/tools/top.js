// twiggy top --format json MODULE.wasm | node top.js: the largest of its rows, as a table with names that can be read.

import { readFileSync } from 'node:fs';

const short = (name) =>
  name
    .replace(/::h[\da-f]{16}(\.\d+)?$/, '')
    .replace(/<(?:impl|\w as) (?:\w+::)*(\w+)(?:<[^>]*>)?>/g, '$1')
    .replace(/<(?:\w+::)*(\w+)(?:<[^>]*>)? as [^>]*>/g, '$1')
    .replace(/wavefront_sdk(_wasm)?::|::\{\{closure\}\}/g, '');

console.log('| bytes | item |\n|---|---|');
const items = JSON.parse(readFileSync(0, 'utf8'));
for (const { name, shallow_size } of items) {
  // Names are in the module for this table only.
  if (!name.endsWith('subsection')) console.log(`| ${shallow_size.toLocaleString('en')} | \`${short(name)}\` |`);
}
