// Cloudflare Workers and other edges: a module is imported, nothing else may be compiled.

import module from '../dist/wavefront_sdk_bg.wasm';

import { start } from './border.js';

start(module);

export * from './api.js';

export default async function init() {}
