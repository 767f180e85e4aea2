// What became of every line, as the core counts it.

import { core, wordsOut } from './border.js';

export const KINDS = ['metric', 'delta', 'histogram', 'span', 'spanLogs', 'event', 'sourceTag'];

const BEFORE = ['accepted', 'recovered', 'delivered', 'doubtful'];
const DROPPED = ['queueFull', 'rejected', 'tooLarge', 'expired', 'storeFull', 'damaged', 'closed'];
const AFTER = ['queued', 'inFlight', 'written', 'stored', 'invalid', 'skipped', 'resent'];
const WIDTH = BEFORE.length + DROPPED.length + AFTER.length;

function row(counts) {
  let at = 0;
  const take = (names) => Object.fromEntries(names.map((name) => [name, counts[at++]]));
  return { ...take(BEFORE), dropped: take(DROPPED), ...take(AFTER) };
}

export function read(pipe) {
  core.ledger(pipe);
  const counts = wordsOut(KINDS.length * WIDTH);
  const rows = KINDS.map((kind, index) => [kind, row(counts.subarray(index * WIDTH))]);
  const total = Array.from({ length: WIDTH }, (_, at) => KINDS.reduce((sum, _, index) => sum + counts[index * WIDTH + at], 0));
  return { ...Object.fromEntries(rows), total: row(total) };
}

const lost = ({ dropped }) => Object.values(dropped).reduce((sum, lines) => sum + lines, 0);

export const failures = ({ total }) => lost(total) + total.doubtful + total.invalid;
