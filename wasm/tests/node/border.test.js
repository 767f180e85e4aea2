// A million calls with whatever there is: each returns, or throws an error of ours, and the ledger balances in the end.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Sender, WavefrontError, eventToLine, histogramToLine, metricToLine, spanLogsToLine, spanToLine } from 'wavefront-sdk';
import { seeded } from './random.js';

const CALLS = 1_000_000;
const SEED = Number(process.env.SEED ?? 20261122);
const { random, pick } = seeded(SEED);
const some = (make, most = 4) => Array.from({ length: Math.floor(random() * most) }, make);

const PIECES = ['a', 'host', 'source', '∆', '~', ' ', '\n', '"', '\\', '\0', '\u{4}', 'é', '漢', '😀', '\ud83d', '\ude00', '-', '.', '9'];
const text = () => (random() < 0.001 ? pick(PIECES).repeat(2000) : some(() => pick(PIECES), 6).join(''));
const ODD = [undefined, null, NaN, Infinity, -0, {}, [], '', 'x', true, 5n, Symbol('s'), () => {}, new Date(NaN), new Proxy({}, {})];
const number = () => pick([0, 1, -1, 0.5, 1e300, 2 ** 53, 1.5e12, 1552949776000, 9.3e18, random()]);
const maybe = (make) => () => (random() < 0.03 ? pick(ODD) : random() < 0.3 ? undefined : make());
const UUID = '7b3bf470-9456-11e8-9eb6-529269fb1459';
const id = maybe(() => pick([UUID, text()]));
const tags = maybe(() => {
  const pairs = some(() => [maybe(text)(), maybe(text)()]);
  return pick([pairs, new Map(pairs), Object.fromEntries(pairs.map(([key, value]) => [String(key), value]))]);
});
const options = maybe(() => ({
  timestamp: maybe(number)(),
  source: maybe(text)(),
  tags: tags(),
  granularities: maybe(() => some(() => pick(['minute', 'hour', 'day', 'week'])))(),
  defaultSource: maybe(text)(),
}));
const centroids = maybe(() => some(() => [number(), pick([1, 2, 0, 2 ** 31, 2 ** 33])]));
const span = maybe(() => ({
  name: maybe(text)(),
  startMillis: maybe(number)(),
  durationMillis: maybe(number)(),
  source: maybe(text)(),
  traceId: id(),
  spanId: id(),
  parents: maybe(() => some(id))(),
  followsFrom: maybe(() => some(id))(),
  tags: tags(),
  logs: maybe(() => some(() => ({ timestamp: maybe(number)(), fields: tags() })))(),
}));
const event = maybe(() => ({
  name: maybe(text)(),
  startMillis: maybe(number)(),
  endMillis: maybe(number)(),
  source: maybe(text)(),
  tags: maybe(() => some(text))(),
  annotations: tags(),
}));

test(`a million random calls (SEED=${SEED})`, { timeout: 240_000 }, async () => {
  const incidents = [];
  globalThis.fetch = async () => {
    const kind = random();
    if (kind < 0.1) throw new TypeError('fetch failed');
    return new Response('x', { status: pick([202, 202, 202, 400, 401, 413, 429, 503]), headers: { 'Retry-After': pick(['0', 'x', '-1']) } });
  };
  const make = () => new Sender({ server: pick(['proxy://localhost', 'https://t@localhost']), source: 's', tags: { k: 'v' }, onError: (incident) => incidents.push(incident.code) });
  let sender = make();
  let series = sender.prepare('a');
  const odd = [];
  const told = (promise) => void promise.catch((error) => error instanceof WavefrontError || odd.push(error));
  const now = [
    () => told(sender.sendMetricNow(maybe(text)(), maybe(number)(), options())),
    () => told(sender.sendDistributionNow(maybe(text)(), centroids(), options())),
    () => told(sender.sendSpanNow(span())),
  ];
  const calls = [
    () => random() < 0.05 && pick(now)(),
    () => sender.sendMetric(maybe(text)(), maybe(number)(), options()),
    () => sender.sendDeltaCounter(maybe(text)(), maybe(number)(), options()),
    () => sender.sendDistribution(maybe(text)(), centroids(), options()),
    () => sender.sendSpan(span()),
    () => sender.sendEvent(event()),
    () => series.send(maybe(number)(), maybe(number)()),
    () => (series = sender.prepare(maybe(text)(), maybe(text)(), tags())),
    () => metricToLine(maybe(text)(), maybe(number)(), options()),
    () => histogramToLine(maybe(text)(), centroids(), options()),
    () => spanToLine(span(), options()),
    () => spanLogsToLine(span(), options()),
    () => eventToLine(event(), options()),
    () => new Sender({ server: maybe(text)(), token: maybe(text)(), tags: tags(), batchSize: maybe(number)() }),
  ];
  let thrown = 0;
  for (let call = 0; call < CALLS; call++) {
    try {
      pick(calls)();
    } catch (error) {
      if (!(error instanceof WavefrontError)) throw error;
      thrown++;
    }
    if (call % 50_000 === 49_999) {
      // The event loop has its turn.
      await sender.flush({ timeoutMs: 5 });
      const { total } = call % 100_000 === 99_999 ? (await sender.close({ timeoutMs: 5 })).stats : sender.stats();
      const dropped = Object.values(total.dropped).reduce((a, b) => a + b);
      assert.equal(total.accepted, total.delivered + dropped + total.queued + total.inFlight);
      if (call % 100_000 === 99_999) [sender, series] = [(sender = make()), sender.prepare('a')];
    }
  }
  assert.ok(thrown > CALLS / 10 && thrown < CALLS, `${thrown} thrown`);
  await sender.close({ timeoutMs: 0 });
  assert.deepEqual(odd, []);
});
