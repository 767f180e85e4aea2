// Node and Bun: the module is a file beside this one.

import { readFileSync } from 'node:fs';

import { start } from './border.js';

start(readFileSync(new URL('../dist/wavefront_sdk_bg.wasm', import.meta.url)));

export * from './api.js';

export default async function init() {}
