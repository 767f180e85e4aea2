// Numbers that look random and are the same again for the same seed: Mulberry32.

// From 0 up to 1, and one of a list.
export function seeded(seed) {
  let state = seed;
  function random() {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }
  return { random, pick: (list) => list[Math.floor(random() * list.length)] };
}
