// One request: what it says, and how it went, as the core wants to hear it. Nothing here is ever thrown.

import { beacons, room } from './page.js';

const COMPRESS_FROM = 1024;

// What became of a request: see `answer` of the core.
const [NO_CONNECTION, NO_ANSWER, STATUS, WRITTEN] = [1, 2, 4, 6];
export const BROKEN = 3;

// That nothing was sent is known where the runtime says so.
const UNSENT = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT', 'ConnectionRefused']);

export async function post({ url, contentType, token }, body, { leaving, beacon, stage, timeoutMs }) {
  if (beacon) return { failure: beacons.send(url, body) ? WRITTEN : NO_CONNECTION, status: 0, after: -1 };
  const headers = { 'Content-Type': contentType };
  if (token) headers.Authorization = `Bearer ${token}`;
  const [signal, done] = timeout(timeoutMs);
  let held = 0;
  try {
    let content = body;
    // A page that goes away has no time to compress.
    if (!leaving && body.length >= COMPRESS_FROM && typeof CompressionStream === 'function') {
      content = await gzip(body);
      headers['Content-Encoding'] = 'gzip';
      // Sent by another one meanwhile.
      if (stage.dropped) return { failure: BROKEN, status: 0, after: -1 };
    }
    const request = { method: 'POST', headers, body: content, redirect: 'manual' };
    // Some runtimes refuse what they do not know.
    if (signal) request.signal = signal;
    // It outlives its page, as far as that is possible, whether that is left now or while it is under way.
    if (room.take(content.length)) {
      held = content.length;
      request.keepalive = stage.outlives = true;
    }
    stage.sent = true;
    const response = await fetch(url, request);
    // Read to its end, so that the connection can be used again; what it says is of no use.
    response.arrayBuffer().catch(() => {});
    if (response.ok) return { failure: 0, status: response.status, after: -1 };
    // A redirect that may not be followed has no status in a page.
    return { failure: STATUS, status: response.status || 302, after: retryAfter(response.headers.get('Retry-After')) };
  } catch (error) {
    return { failure: reason(error), status: 0, after: -1 };
  } finally {
    room.give(held);
    done();
  }
}

function reason(error) {
  if (error?.name === 'TimeoutError' || error?.name === 'AbortError') return NO_ANSWER;
  const code = error?.cause?.code ?? error?.code;
  return UNSENT.has(code) ? NO_CONNECTION : BROKEN;
}

// A length is known beforehand, which some receivers insist on.
async function gzip(body) {
  const compressed = new Response(body).body.pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(compressed).arrayBuffer());
}

// Seconds or a date, as ms from now; -1 is none.
function retryAfter(text) {
  if (!text) return -1;
  const seconds = Number(text);
  const wait = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1000;
  return wait >= 0 ? wait : -1;
}

function timeout(ms) {
  if (typeof AbortSignal?.timeout === 'function') return [AbortSignal.timeout(ms), () => {}];
  if (typeof AbortController !== 'function') return [undefined, () => {}];
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), ms);
  return [controller.signal, () => clearTimeout(timer)];
}
