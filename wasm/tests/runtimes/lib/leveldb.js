// The files of LevelDB, in which Chromium keeps IndexedDB, after their writer was killed in the midst of a record.
//
// LevelDB leaves such a record out as it reads a file, as it has to: nobody was told that it is there. But then it
// goes on writing behind it, and who opens the database the next time finds it corrupt (google/leveldb, issue 1287).
// Chromium throws a corrupt database away.

import { readFile, readdir, truncate } from "node:fs/promises";
import { join } from "node:path";

const [BLOCK, HEADER] = [32_768, 7];
/** Of a record: whole, or the last piece of one. */
const [FULL, LAST] = [1, 4];

/** Where the last record ends that is whole. */
function end(log) {
  let whole = 0;
  for (let at = 0; ; ) {
    const left = BLOCK - (at % BLOCK);
    // So little at the end of a block is left empty.
    if (left < HEADER) at += left;
    if (at + HEADER > log.length) return whole;
    const [length, type] = [log.readUInt16LE(at + 4), log[at + 6]];
    at += HEADER + length;
    if (at > log.length) return whole;
    if (type === FULL || type === LAST) whole = at;
  }
}

/** Takes away what was half written as Chromium was killed; how many files there were with something to take away. */
export async function takeHalvesAway(profile) {
  let halves = 0;
  const names = await readdir(join(profile, "Default/IndexedDB"), { recursive: true }).catch(() => []);
  for (const name of names) {
    if (!/(\.log|MANIFEST-\d+)$/.test(name)) continue;
    const path = join(profile, "Default/IndexedDB", name);
    const log = await readFile(path);
    const whole = end(log);
    // Zeros are what a block ends with.
    if (log.subarray(whole).every((byte) => byte === 0)) continue;
    halves++;
    await truncate(path, whole);
  }
  return halves;
}
