// What a store in IndexedDB has acknowledged outlives a Chromium that is killed at any moment: put by put, and line by
// line behind a sender. The moments are chosen by acknowledgements; SEED=N chooses the same ones again.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import { seeded } from "../node/random.js";
import { launchChromiumToKill } from "./lib/browsers.js";
import { eventually } from "./lib/collector.js";
import { visit } from "./lib/leaving.js";
import { takeHalvesAway } from "./lib/leveldb.js";
import { startRelay } from "./lib/relay.js";
import { startSite } from "./lib/site.js";

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32));
const { random, pick } = seeded(SEED);
const upTo = (most) => Math.floor(random() * (most + 1));

/** How often Chromium is killed. */
const KILLS = 6;
/** Records and bursts of lines of a life: more than it lives for. */
const [RECORDS, BURSTS] = [400, 400];
/** Of a store: what it answers, and how many kinds of records it has. */
const [DONE, KINDS] = [0, 7];

/** The records that a life is to put, each under a key of its own, some to be removed again. */
function planOf(life) {
  return Array.from({ length: RECORDS }, (_, at) => {
    const key = life * RECORDS + at + 1;
    const text = `"record-${key}" ${random()} source="s"\n`.repeat(1 + pick([0, 0, 1, 10, 100, 600]));
    const lines = text.split("\n").length - 1;
    const head = { kind: upTo(KINDS - 1), key, lines, bytes: text.length, born: 1.7e12 + key };
    return { head, text, removed: random() < 0.3 };
  });
}

// ---- in the page ----------------------------------------------------------------------------------------------------

/** Puts the records into a store, four at a time, and says what was acknowledged. */
async function putRecords(plan) {
  const database = new stores.Database("crash.records");
  const encoder = new TextEncoder();
  const put = async () => {
    for (let record; (record = plan.shift()); ) {
      acknowledged("put", record.head.key, (await database.put(record.head, encoder.encode(record.text))).reply);
      if (!record.removed) continue;
      acknowledged("removed", record.head.key, (await database.remove(record.head.kind, record.head.key)).reply);
    }
  };
  await Promise.all([put(), put(), put(), put()]);
}

/** Sends bursts of lines with the numbers from `first` on, and says up to which number they are safe. */
async function sendLines({ server, first, bursts }) {
  const store = { name: "crash.lines", mode: "always" };
  globalThis.sender = new sdk.Sender({ server, source: "crash", flushIntervalMs: 50, store });
  let number = first;
  for (const burst of bursts) {
    for (let left = burst; left > 0; left--, number++) {
      const options = { tags: { number: String(number) } };
      const sent =
        number % 3 > 0
          ? sender.sendMetric("crash", number, options)
          : sender.sendDistribution("crash", [[number, 1]], { ...options, granularities: ["minute"] });
      if (!sent) throw new Error("no room");
    }
    if ((await sender.flush({ timeoutMs: 60_000 })).complete) acknowledged("lines", number, 0);
  }
}

/** All that is in a store: what the records say, and what came of reading them. */
async function everything(name) {
  const [NOTHING, FOUND] = [1, 2];
  const database = new stores.Database(name);
  const all = [];
  for (let kind = 0; kind < 7; kind++) {
    for (let from = 0; ; ) {
      const { reply, head } = await database.next(kind, from);
      if (reply === NOTHING) break;
      if (reply !== FOUND) throw new Error(`${reply} where a record or none is to be found`);
      const { reply: read, lines } = await database.read(head);
      all.push({ head, read, text: lines && new TextDecoder().decode(lines) });
      from = head.key + 1;
    }
  }
  database.close();
  await navigator.locks.request(`wavefront-sdk/${name}`, () => {});
  return all;
}

// ---- what is known of it --------------------------------------------------------------------------------------------

/** What is to be in the store of records. */
class Records {
  #planned = new Map();
  #put = new Set();
  #removed = new Set();

  plan(records) {
    for (const record of records) this.#planned.set(record.head.key, record);
  }

  put(key) {
    this.#put.add(key);
  }

  removed(key) {
    this.#removed.add(key);
  }

  get acknowledged() {
    return [this.#put.size, this.#removed.size];
  }

  check(found) {
    for (const { head, read, text } of found) {
      const { sum, ...said } = head;
      const planned = this.#planned.get(head.key);
      const is = [said, read, text === planned?.text];
      assert.deepEqual(is, [planned?.head, DONE, true], `record ${head.key} is as it was put`);
      assert.ok(!this.#removed.has(head.key), `record ${head.key} is there, and was removed`);
    }
    const keys = new Set(found.map(({ head }) => head.key));
    assert.equal(keys.size, found.length, "a key is there once");
    const missing = [...this.#put].filter((key) => !keys.has(key) && !this.#planned.get(key).removed);
    assert.deepEqual(missing, [], "records that were acknowledged are there");
  }
}

const numbersIn = (text) => [...text.matchAll(/"number"="(\d+)"/g)].map(([, number]) => Number(number));

/** Of each number, how often it is there. */
function tally(numbers) {
  const counts = new Map();
  for (const number of numbers) counts.set(number, (counts.get(number) ?? 0) + 1);
  return counts;
}

const twice = (numbers) => [...tally(numbers)].filter(([, count]) => count > 1).map(([number]) => number);

/** The numbers of the lines in a store: whole, and each in one record. */
function stored(found) {
  for (const { head, read, text } of found) {
    assert.equal(read, DONE, `a record of ${head.lines} lines is to be read`);
    assert.deepEqual([text.length, text.split("\n").length - 1, text.endsWith("\n")], [head.bytes, head.lines, true]);
    assert.equal(numbersIn(text).length, head.lines, text);
  }
  const numbers = found.flatMap(({ text }) => numbersIn(text));
  assert.deepEqual(twice(numbers), [], "lines are there in two records");
  return numbers;
}

// ---- lives ----------------------------------------------------------------------------------------------------------

/** A receiver of one life: one that is there, one that is not ready, or none. */
async function receiver(site, mood) {
  const relay = await startRelay(site.collector);
  if (mood === "gone") relay.stop();
  if (mood === "unready") relay.answer(() => ({ status: 503 }));
  return {
    mood,
    url: relay.url,
    stop: () => relay.stop(),
    /** The numbers of the lines that came. */
    numbers() {
      const text = ({ headers, body }) => (headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString();
      return relay.posts().flatMap((note) => numbersIn(text(note)));
    },
  };
}

/** A Chromium with the profile, and a page in it that says what was acknowledged: `heard(what, number)`. */
async function live(profile, site, heard, work) {
  const { context, kill } = await launchChromiumToKill(profile);
  try {
    const odd = [];
    await context.exposeFunction("acknowledged", (what, number, reply) => {
      if (reply === DONE) heard(what, number);
      else odd.push(`${what} ${number}: ${reply}`);
    });
    const page = await context.newPage();
    await visit(page, `${site.url}/store.html`);
    await work(page, kill);
    assert.deepEqual(odd, []);
  } finally {
    await kill();
  }
}

const LAW = "what a store has acknowledged outlives a Chromium that is killed";

test(`${LAW} (SEED=${SEED})`, { timeout: 300_000 }, async (t) => {
  const site = await startSite();
  const profile = await mkdtemp(join(tmpdir(), "profile-"));
  const arrived = async () => (await site.collector.lines()).flatMap(numbersIn);
  const records = new Records();
  const safe = new Set();
  const receivers = [];
  const receiverOf = async (mood) => {
    receivers.push(await receiver(site, mood));
    return receivers.at(-1);
  };
  let halves = 0;

  // What every life begins with: all that is to be there is there, once and whole. The numbers of the lines.
  const check = async (page) => {
    records.check(await page.evaluate(everything, "crash.records"));
    const numbers = stored(await page.evaluate(everything, "crash.lines"));
    await eventually("line in the store or with the receiver, of each that is safe", async () => {
      const there = new Set([...numbers, ...(await arrived())]);
      return [...safe].every((number) => there.has(number));
    });
    return numbers;
  };

  // All of what a store has leaves, in whatever time: nothing is decided but whether it goes on.
  const delivered = async (page, many) => {
    for (let before = -1; ; ) {
      const total = await eventually("more delivered", async () => {
        const { total } = await page.evaluate(() => sender.stats());
        return (total.delivered > before || (total.delivered === many && total.stored === 0)) && total;
      });
      before = total.delivered;
      if (before >= many && total.stored === 0) return total;
    }
  };

  try {
    for (let at = 0; at < KILLS; at++) {
      const first = at * 1_000_000;
      // It ends a moment after so many acknowledgements of one sort; or before the first one.
      const [sort, wait] = [pick(["put", "lines"]), random() * 15];
      let left = upTo(sort === "put" ? 80 : 15);
      let reached;
      const enough = new Promise((resolve) => (reached = resolve));
      if (left === 0) reached();
      const heard = (what, number) => {
        if (what === "lines") for (let safely = first; safely < number; safely++) safe.add(safely);
        else records[what](number);
        if (what === sort && --left === 0) reached();
      };
      await live(profile, site, heard, async (page, kill) => {
        await check(page);
        const to = await receiverOf(at === 0 ? "gone" : pick(["there", "unready", "gone"]));
        const plan = planOf(at);
        records.plan(plan);
        const bursts = Array.from({ length: BURSTS }, () => 1 + upTo(40));
        let killed = false;
        const failed = (error) => killed || Promise.reject(error);
        const writing = [
          page.evaluate(putRecords, plan).catch(failed),
          page.evaluate(sendLines, { server: to.url, first, bursts }).catch(failed),
        ];
        // What goes wrong in the page ends it too.
        await Promise.race([enough, Promise.all(writing).then(() => enough)]);
        await sleep(wait);
        killed = true;
        await kill();
        await Promise.all(writing);
        if (to.mood === "there") assert.deepEqual(twice(to.numbers()), [], "lines were sent twice in one life");
      });
      halves += await takeHalvesAway(profile);
    }

    // And one life in which all is well.
    await live(profile, site, assert.fail, async (page) => {
      const numbers = await check(page);
      const to = await receiverOf("there");
      await page.evaluate(sendLines, { server: to.url, first: 0, bursts: [] });
      const total = await delivered(page, numbers.length);
      const { recovered, accepted, doubtful } = total;
      assert.deepEqual([recovered, total.delivered, accepted, doubtful], [numbers.length, numbers.length, 0, 0]);
      assert.deepEqual(Object.values(total.dropped).filter(Boolean), []);
      assert.equal((await page.evaluate(() => sender.close())).complete, true);
      assert.deepEqual(to.numbers().sort(), [...numbers].sort());
      assert.deepEqual(await page.evaluate(everything, "crash.lines"), []);
      assert.deepEqual(await page.evaluate(() => trouble), []);
    });
    const lines = await site.collector.lines();
    const whole = /^(!M #1 (\d+)\.0 "crash"|"crash" (\d+)\.0) source="crash" "number"="(\2|\3)"$/;
    assert.deepEqual(lines.filter((line) => !whole.test(line)), []);
    const counts = tally(lines.flatMap(numbersIn));
    assert.deepEqual([...safe].filter((number) => !counts.has(number)), [], "lines that were safe have arrived");
    const [put, removed] = records.acknowledged;
    assert.ok(put > 0 && removed > 0 && safe.size > 0);
    const again = lines.length - counts.size;
    t.diagnostic(`${KILLS} kills, ${halves} in the midst of a write; ${put} records put, ${removed} removed`);
    t.diagnostic(`${safe.size} lines safe, ${counts.size} arrived, ${again} of them again`);
  } finally {
    for (const receiver of receivers) receiver.stop();
    await rm(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    assert.equal((await site.stop()).rejected, 0);
  }
});
