// Series that are sent again go by way of a prepared one: nobody notices, and what is kept for that is bounded.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import * as core from '../../dist/parts/core.js';
import { seeded } from './random.js';

const CALLS = 20_000;
const SEED = Number(process.env.SEED ?? 20261123);
const { random, pick } = seeded(SEED);

let Sender;
let memory;
// Values that went by a prepared series.
let values = 0;
let bodies = [];

before(async () => {
  // The module is seen as it is made.
  const { Instance } = WebAssembly;
  WebAssembly.Instance = class extends Instance {
    constructor(...given) {
      super(...given);
      // Of the exports' names, the letters.
      core.begin(Object.fromEntries(Object.keys(this.exports).map((letter) => [letter, letter])));
      memory = this.exports[core.memory];
      const value = (...given) => (values++, super.exports[core.value](...given));
      Object.defineProperty(this, 'exports', { value: { ...this.exports, [core.value]: value } });
    }
  };
  globalThis.CompressionStream = undefined;
  globalThis.fetch = async (_, { body }) => {
    bodies.push(Buffer.from(body).toString());
    return new Response(null, { status: 202 });
  };
  ({ Sender } = await import('wavefront-sdk'));
});

// The lines of each kind, in their order.
function lines() {
  const all = bodies.join('').split('\n');
  bodies = [];
  return [all.filter((line) => !line.startsWith('"∆')), all.filter((line) => line.startsWith('"∆'))];
}

// Strings that are alike where they are put together, and such as no line can say.
const NAMES = ['a', 'ab', 'b', '∆c', '~d', 'e f', ' ', '', '漢', 'ü'.repeat(200)];
const SOURCES = [undefined, 'h', 'a', 'k', '', ' ', 'b"c'];
const PAIRS = [[], [['k', 'v']], [['k', 'vk'], ['w', 'v']], [['kv', 'k'], ['v', 'w']], [['a', '']], [['source', 'x']], [['t', '\ud83d']], [['l', 'x'.repeat(600)]]];
const VALUES = [0, 1, -1, 0.5, 1e300, NaN, Infinity, '1', 2 ** 53];
const TIMES = [undefined, 0, 1, 1.5, -1, NaN, 1493773500, new Date(1493773500000), new Date(NaN), 1e300];

const OPTIONS = { server: 'proxy://localhost', source: 'd', tags: { common: 'c', t: 'd' } };

function come(send) {
  try {
    return send();
  } catch ({ code, field, problem, message }) {
    return { code, field, problem, message };
  }
}

test(`a series that is known is as one that is not (SEED=${SEED})`, { timeout: 240_000 }, async () => {
  const known = new Sender(OPTIONS);
  // One that has had no series twice, for each call.
  let [fresh, had] = [new Sender(OPTIONS), new Set()];
  const sum = {};
  const end = async (sender) => {
    const { stats } = await sender.close();
    for (const [name, count] of Object.entries({ ...stats.total, ...stats.total.dropped })) sum[name] = (sum[name] ?? 0) + count;
  };
  const [calls, expected, found] = [[], [], []];
  for (let call = 0; call < CALLS; call++) {
    const [name, value, timestamp, source, tags] = [NAMES, VALUES, TIMES, SOURCES, PAIRS].map(pick);
    const counter = random() < 0.3;
    calls.push({ key: JSON.stringify([counter, name, source ?? '', tags]), counter, given: [name, value, { timestamp, source, tags }] });
  }
  const say = (sender, { counter, given }) => come(() => (counter ? sender.sendDeltaCounter(...given) : sender.sendMetric(...given)));
  for (const call of calls) {
    if (had.has(call.key)) {
      await end(fresh);
      [fresh, had] = [new Sender(OPTIONS), new Set()];
    }
    had.add(call.key);
    expected.push(say(fresh, call));
  }
  await end(fresh);
  assert.equal(values, 0);
  const wanted = lines();
  for (const call of calls) found.push(say(known, call));
  const { stats } = await known.close();
  assert.deepEqual(found, expected);
  assert.deepEqual(lines(), wanted);
  for (const [name, count] of Object.entries({ ...stats.total, ...stats.total.dropped })) {
    if (typeof count === 'number') assert.equal(count, sum[name], name);
  }
  assert.ok(stats.total.delivered > CALLS / 10 && stats.total.invalid > CALLS / 10);
  assert.ok(values > CALLS / 10, `${values} values of known series`);
});

test('a queue that is full takes no value of a known series, and says so', async () => {
  const sender = new Sender({ ...OPTIONS, maxQueueSize: 20 });
  const taken = Array.from({ length: 30 }, () => sender.sendMetric('m', 1));
  assert.equal(taken.lastIndexOf(true), 19);
  assert.equal(sender.stats().total.dropped.queueFull, 10);
  await sender.close();
  assert.throws(() => sender.sendMetric('m', 1), { code: 'closed' });
});

test('series without end do not take memory without end', { timeout: 240_000 }, async () => {
  const sender = new Sender(OPTIONS);
  const round = async (from) => {
    for (let series = from; series < from + 1_000; series++) {
      // Often enough to be prepared.
      for (let time = 0; time < 12; time++) sender.sendMetric('m', time, { tags: { user: `${series}`, rest: 'x'.repeat(200) } });
    }
    assert.ok((await sender.flush()).complete);
    bodies = [];
  };
  for (let at = 0; at < 4; at++) await round(at * 1_000);
  const before = memory.buffer.byteLength;
  for (let at = 4; at < 12; at++) await round(at * 1_000);
  assert.equal(memory.buffer.byteLength, before);
  await sender.close();
});
