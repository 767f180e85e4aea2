// What a page has to load: the module and the JavaScript around it, compressed as servers do. It may only shrink, and the
// README says what it is.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { brotliCompressSync } from 'node:zlib';

const LIMIT = 28_650;

// How far the README's figures may be off: other compilers make slightly other modules.
const TOLERANCE = 0.03;

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url));

// A script and what it imports.
function sources(path, seen = new Map()) {
  const url = new URL(path, new URL('../../dist/', import.meta.url)).href;
  if (seen.has(url)) return seen;
  const text = readFileSync(new URL(url), 'utf8');
  seen.set(url, text);
  for (const [, next] of text.matchAll(/(?:from|import)\s*"(\.[^"]+\.js)"/g)) sources(new URL(next, url).href, seen);
  return seen;
}

const joined = (entry) => Buffer.from([...sources(entry).values()].join(''));
// That of gzip itself: other writers of its format make something else of the same level.
const gzip = (bytes) => execFileSync('gzip', ['-9n'], { input: bytes });
const sizes = (bytes) => [bytes.length, gzip(bytes).length, brotliCompressSync(bytes).length];

const module = sizes(read('dist/wavefront_sdk_bg.wasm'));
const script = sizes(joined('web.js'));
const rows = {
  module,
  'JavaScript of `wavefront-sdk/web`': script,
  together: module.map((size, at) => size + script[at]),
  '`wavefront-sdk` in a page, the module in it as text': sizes(joined('inline.js')),
  '`wavefront-sdk/store`, the same': sizes(joined('store.js')),
};

test(`the package is at most ${LIMIT} bytes`, () => {
  for (const [name, [raw, gzip, brotli]] of Object.entries(rows)) {
    console.log(`${name}: ${raw} raw, ${gzip} gzip, ${brotli} brotli`);
  }
  assert.ok(rows.together[1] <= LIMIT, `${rows.together[1]} bytes`);
});

test('the README says so', () => {
  const readme = read('README.md').toString();
  const figures = (name) => readme.split('\n').find((line) => line.startsWith(`| ${name} |`))?.split('|').slice(2, -1);
  for (const [name, measured] of Object.entries(rows)) {
    const said = figures(name)?.map((figure) => Number(figure.replaceAll(',', '')));
    const off = said?.some((figure, at) => !(Math.abs(figure / measured[at] - 1) <= TOLERANCE));
    assert.ok(said?.length === 3 && !off, `the README has for ${name}: ${said}; measured: ${measured}`);
  }
});
