// What a page goes through, for senders: it is hidden or left, it comes back, it loses its network and has it again.

// The most that requests which outlive their page may hold together, whoever makes them: 64 KiB, less something for others.
const MOST = 60 * 1024;

// Of that, what is left; nothing where there is no page.
export const room = {
  left: typeof document === 'undefined' ? 0 : MOST,
  take(bytes) {
    if (bytes > room.left) return false;
    room.left -= bytes;
    return true;
  },
  give(bytes) {
    room.left += bytes;
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
