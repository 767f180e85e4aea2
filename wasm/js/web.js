// Where the module is to be a file of its own, compiled while it comes: call init() and wait for it.

import { startFrom } from './border.js';

export * from './api.js';

// Bundlers find the file by this very expression.
const file = () => new URL('../dist/wavefront_sdk_bg.wasm', import.meta.url);

export default async function init(source) {
  return startFrom(source ?? file());
}
