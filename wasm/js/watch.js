// Telemetry of a worker's requests, around its handler. Whatever happens in here, the handler never notices.

import { Sender } from './sender.js';

const DEFAULT_PREFIX = 'worker.requests';

/**
 * A handler that does what `handler` does, and reports each request: how many, how long, and a span of it.
 *
 * The sender is made at the first request, with the options or with what their function makes of the environment, and
 * stays with the isolate. What it has is sent in `waitUntil`, after the answer.
 */
export function withWavefront(handler, options) {
  let watch;
  const watching = (env) => (watch ??= begin(typeof options === 'function' ? options(env) : options));
  const watched = {};
  // The others too may be called as methods, or as functions.
  for (const [name, member] of Object.entries(handler)) {
    watched[name] = typeof member === 'function' ? member.bind(handler) : member;
  }
  watched.fetch = async (request, env, ctx) => {
    const started = Date.now();
    const { method, url, headers } = request;
    let status = 500;
    try {
      const response = await handler.fetch(request, env, ctx);
      status = response.status;
      return response;
    } finally {
      harmless(() => {
        const { sender, names } = watching(env);
        report(sender, names, { method, url, headers, status, started, ended: Date.now() });
        ctx.waitUntil(sender.flush().catch(() => {}));
      });
    }
  };
  return watched;
}

function begin({ prefix = DEFAULT_PREFIX, ...options }) {
  const tags = options.tags ?? {};
  // What the service asks of every span.
  const { application = 'worker', service = prefix } = tags;
  return { sender: new Sender(options), names: { prefix, application, service } };
}

function report(sender, { prefix, application, service }, { method, url, headers, status, started, ended }) {
  const tags = { method, status: String(status) };
  // One that is refused, or finds no room, keeps the others from nothing.
  harmless(() => sender.sendDeltaCounter(`${prefix}.count`, 1, { tags }));
  harmless(() => sender.sendDistribution(`${prefix}.latency`, [[ended - started, 1]], { tags }));
  harmless(() => {
    const { pathname } = new URL(url);
    const [traceId, parents] = parent(headers.get('traceparent'));
    sender.sendSpan({
      name: `${method} ${pathname}`.slice(0, 128),
      startMillis: started,
      durationMillis: ended - started,
      traceId,
      spanId: crypto.randomUUID(),
      parents,
      tags: {
        application,
        service,
        component: 'worker',
        'http.method': method,
        'http.status_code': String(status),
        ...(status >= 500 && { error: 'true' }),
      },
    });
  });
}

// The trace that a request belongs to (W3C), its numbers as UUIDs: one of its own where it names none.
function parent(header) {
  const [, trace, span] = /^[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-/.exec(header ?? '') ?? [];
  return trace ? [uuid(trace), [uuid(span.padStart(32, '0'))]] : [crypto.randomUUID(), []];
}

const uuid = (hex) => hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

function harmless(work) {
  try {
    work();
  } catch {
    // Counted by the sender, where it was its datum.
  }
}
