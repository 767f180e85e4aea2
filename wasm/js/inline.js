// Pages, Deno, and every bundler: the module is text in a file, and there is nothing to wait for.

import text from '../dist/parts/inline.js';

import { start } from './border.js';

start(Uint8Array.from(atob(text), (character) => character.charCodeAt(0)));

export * from './api.js';

export default async function init() {}
