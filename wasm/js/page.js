// What a page goes through, for senders: it is hidden or left, it comes back, it loses its network and has it again.

// The most that the requests of a page that is left may hold together.
const ROOM = 64 * 1024;

// Calls `turn` until the function that it returns is called. Outside of pages it does nothing.
export function onPage(sender, turn) {
  if (typeof addEventListener !== 'function' || typeof navigator === 'undefined' || navigator.onLine === undefined) return () => {};
  const listeners = [['online', globalThis, () => turn({ leaving: false })]];
  if (typeof document !== 'undefined') {
    const leave = () => turn({ leaving: true, room: ROOM });
    listeners.push(['pagehide', globalThis, leave]);
    listeners.push(['visibilitychange', document, () => document.visibilityState === 'hidden' && leave()]);
  }
  for (const [name, target, listener] of listeners) target.addEventListener(name, listener);
  return () => {
    for (const [name, target, listener] of listeners) target.removeEventListener(name, listener);
  };
}
