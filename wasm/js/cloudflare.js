// Cloudflare Workers: what the main entry has, handlers that are watched, and proxies over TCP lines.

import { overTcp } from './endpoint.js';
import { runtime } from './sender.js';
import { send } from './tcp.js';

runtime.tcp = { targets: overTcp, send };

export * from './workerd.js';
export { default } from './workerd.js';
export { withWavefront } from './watch.js';
