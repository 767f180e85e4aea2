// What a page goes through, for senders: it is hidden or left, it comes back, it loses its network and has it again.

// The most that requests which outlive their page may hold together, whoever makes them: 64 KiB, less something for others.
const MOST = 60 * 1024;

// Whether requests can outlive their page: Firefox has that since 133.
const outlives = () => typeof document !== 'undefined' && 'keepalive' in Request.prototype;

// Of that, what is left; nothing where there is no page.
export const room = {
  left: outlives() ? MOST : 0,
  take(bytes) {
    if (bytes > room.left) return false;
    room.left -= bytes;
    return true;
  },
  give(bytes) {
    room.left += bytes;
  },
};

// What goes with a page beside that: without an answer, and without headers. Chromium takes it from the same room, and
// refuses it where that is full; Firefox does not.
export const beacons = {
  refused: false,
  send(url, body) {
    beacons.refused = !navigator.sendBeacon(url, body);
    return !beacons.refused;
  },
};

// Calls `turn` until the function that it returns is called. Outside of pages it does nothing.
export function onPage(sender, turn) {
  if (typeof addEventListener !== 'function' || typeof navigator === 'undefined' || navigator.onLine === undefined) return () => {};
  const back = () => turn({ leaving: false });
  const listeners = [['online', globalThis, back]];
  if (typeof document !== 'undefined') {
    const leave = (gone) => turn({ leaving: true, gone });
    listeners.push(['pagehide', globalThis, () => leave(true)], ['pageshow', globalThis, ({ persisted }) => persisted && back()]);
    listeners.push(['visibilitychange', document, () => (document.visibilityState === 'hidden' ? leave(false) : back())]);
  }
  for (const [name, target, listener] of listeners) target.addEventListener(name, listener);
  return () => {
    for (const [name, target, listener] of listeners) target.removeEventListener(name, listener);
  };
}
