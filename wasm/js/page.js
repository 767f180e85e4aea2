// What a page goes through, for senders: it is hidden or left, it comes back, it loses its network and has it again.

// The most that requests which outlive their page may hold together, whoever makes them: 64 KiB, less something for others.
const MOST = 60 * 1024;

// Whether requests can outlive their page: Firefox has that since 133.
const outlives = globalThis.document && 'keepalive' in Request.prototype;

export const page = {
  // Of that, what is left; nothing where there is no page.
  room: outlives ? MOST : 0,
  // Whether a beacon was refused, which is what goes with a page beside that: without an answer, and without headers. Chromium
  // takes it from the same room, and refuses it where that is full; Firefox does not.
  refused: false,
};

// Calls `turn` with whether the page is left, and whether for good, until the function that it returns is called. Outside of
// pages it does nothing.
export function onPage(turn) {
  if (!globalThis.addEventListener || isOnline() === undefined) return () => {};
  const listening = new AbortController();
  const on = (name, target, listener) => target.addEventListener(name, listener, { signal: listening.signal });
  const back = () => turn(false);
  on('online', globalThis, back);
  if (globalThis.document) {
    on('pagehide', globalThis, () => turn(true, true));
    on('pageshow', globalThis, ({ persisted }) => persisted && back());
    on('visibilitychange', document, () => turn(document.visibilityState === 'hidden', false));
  }
  return () => listening.abort();
}

// Undefined where that is not known: only a page knows, or a worker of one.
export const isOnline = () => globalThis.navigator?.onLine;
