// What a page has to load: the module and the JavaScript around it, compressed as servers do. It may only shrink.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const LIMIT = 56_500;

// The entry and what it imports, but for the module.
function sources(path, seen = new Map()) {
  const url = new URL(path, new URL('../../js/', import.meta.url)).href;
  if (seen.has(url)) return seen;
  const text = readFileSync(new URL(url), 'utf8');
  seen.set(url, text);
  for (const [, next] of text.matchAll(/from '(\.[^']+\.js)'/g)) {
    if (!next.endsWith('inline.js')) sources(new URL(next, url).href, seen);
  }
  return seen;
}

test(`the package is at most ${LIMIT} bytes`, () => {
  const module = readFileSync(new URL('../../dist/wavefront_sdk_bg.wasm', import.meta.url));
  const script = Buffer.from([...sources('web.js').values()].join(''));
  const sizes = (bytes) => [bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length];
  const [wasm, js] = [sizes(module), sizes(script)];
  const rows = { module: wasm, 'glue and entry': js, together: wasm.map((size, at) => size + js[at]) };
  for (const [name, [raw, gzip, brotli]] of Object.entries(rows)) console.log(`${name}: ${raw} raw, ${gzip} gzip, ${brotli} brotli`);
  assert.ok(rows.together[1] <= LIMIT, `${rows.together[1]} bytes`);
});
