// One request: what it says, and how it went, as the core wants to hear it: see `answer` there. Nothing here is ever thrown.

import { page } from './page.js';

const COMPRESS_FROM = 1024;

// What became of a request. Behind it may stand a status, and the wait that is asked for in ms.
const [DELIVERED, NO_CONNECTION, NO_ANSWER, , STATUS, , WRITTEN] = Array(7).keys();
export const BROKEN = 3;

// That nothing was sent is known where the runtime says so: no browser does.
const UNSENT = /^(E(CONNREFUSED|NOTFOUND|AI_AGAIN|(HOST|NET)UNREACH)|UND_ERR_CONNECT_TIMEOUT|ConnectionRefused)$/;

// Sends the body of `request` and notes there how far it came.
export async function post({ url, contentType, token }, request, timeoutMs) {
  const { body, leaving, beacon } = request;
  if (beacon) {
    page.refused = !navigator.sendBeacon(url, body);
    return [page.refused ? NO_CONNECTION : WRITTEN];
  }
  const headers = { 'Content-Type': contentType };
  if (token) headers.Authorization = `Bearer ${token}`;
  let held = 0;
  try {
    let content = body;
    // A page that goes away has no time to compress.
    if (!leaving && body.length >= COMPRESS_FROM && globalThis.CompressionStream) {
      content = await gzip(body);
      headers['Content-Encoding'] = 'gzip';
      // Sent by another one meanwhile.
      if (request.dropped) return [BROKEN];
    }
    const options = { method: 'POST', headers, body: content, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) };
    // It outlives its page, as far as that is possible, whether that is left now or while it is under way.
    if (content.length <= page.room) {
      held = content.length;
      page.room -= held;
      options.keepalive = request.outlives = true;
    }
    request.sent = true;
    const response = await fetch(url, options);
    // Read to its end, so that the connection can be used again; what it says is of no use.
    response.arrayBuffer().catch(() => {});
    // A redirect that may not be followed has no status in a page.
    const { ok, status, headers: told } = response;
    return ok ? [DELIVERED, status] : [STATUS, status || 302, retryAfter(told.get('Retry-After'))];
  } catch (error) {
    if (/^(Timeout|Abort)Error$/.test(error?.name)) return [NO_ANSWER];
    return [!BROWSER && UNSENT.test(error?.cause?.code ?? error?.code) ? NO_CONNECTION : BROKEN];
  } finally {
    page.room += held;
  }
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
