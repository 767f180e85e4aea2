// Types of `wavefront-sdk/cloudflare`.

import type { SenderOptions } from './index.js';

export * from './index.js';
export { default } from './index.js';

/** What {@link withWavefront} is told: the options of its sender, and how its metrics are called. */
export interface WatchOptions extends SenderOptions {
  /** What the names of its metrics begin with: `PREFIX.count` and `PREFIX.latency`. Default `worker.requests`. */
  prefix?: string;
}

/**
 * The handler, and telemetry of each request:
 *
 * - `PREFIX.count`, a delta counter, and `PREFIX.latency`, a distribution in milliseconds as the runtime's clock sees it,
 *   which stands still while code runs; both tagged with `method` and `status`;
 * - a span `METHOD /path`, without the query, that belongs to the trace of the request's `traceparent`, or begins one. Its
 *   tags `application` and `service` are those of `tags`.
 *
 * They are sent in `waitUntil`, after the answer. A request whose handler throws counts as status 500, and its error goes on
 * to the runtime. Nothing that goes wrong with the telemetry reaches the handler. Its other functions (`scheduled`, `queue`,
 * …) stay as they are.
 *
 * @param handler what a worker exports by default; it has a `fetch`.
 * @param options the sender's, or a function that makes them of the environment at the first request.
 * @throws never. Options that are wrong show in that nothing arrives, and in `onError`.
 *
 * ```ts
 * export default withWavefront({
 *   async fetch(request: Request, env: Env) {
 *     return new Response('hello');
 *   },
 * }, (env) => ({ server: env.WAVEFRONT_SERVER, token: env.WAVEFRONT_TOKEN, source: 'edge' }));
 * ```
 */
export function withWavefront<Env, Rest extends unknown[], Handler extends { fetch(request: never, env: Env, ...rest: Rest): unknown }>(
  handler: Handler & { fetch(request: never, env: Env, ...rest: Rest): unknown },
  options: WatchOptions | ((env: Env) => WatchOptions),
): Handler;
