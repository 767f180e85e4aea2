// Where the application brings the module: init() takes what can be fetched or compiled.

import { startFrom } from './border.js';

export * from './api.js';

export default async function init(source) {
  if (source === undefined) throw new TypeError('init() needs the module: a URL, a Response, bytes or a WebAssembly.Module');
  await startFrom(source);
}
