// What is sent ahead of the queue: one request at once, and its outcome.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { Sender, WavefrontError } from 'wavefront-sdk';
import { startCollector } from '../runtimes/lib/collector.js';
import { balanced, receiver } from './receiver.js';

const UUID = '7b3bf470-9456-11e8-9eb6-529269fb1459';
const SPAN = { name: 'get', startMillis: 1552949776000, durationMillis: 343, traceId: UUID, spanId: UUID };

const loose = [];
process.on('unhandledRejection', (error) => loose.push(error));

let collector;
before(async () => (collector = await startCollector()));
after(async () => {
  await collector.stop();
  assert.deepEqual(loose, []);
});

// Why it was not delivered, and what became of the lines.
const failed = async (promise) => {
  const error = await promise.then((lines) => assert.fail(`${lines} lines delivered`), (error) => error);
  assert.ok(error instanceof WavefrontError, `${error}`);
  const { code, status, kind, delivered, kept, dropped } = error;
  return { code, status, kind, delivered, kept, dropped };
};

test('each kind arrives, in a request of its own, and says how many lines', async () => {
  const proxy = await receiver();
  const sender = new Sender({ server: proxy.url, source: 's', tags: { env: 'now' }, flushIntervalMs: 3_600_000 });
  // What is refused leaves nothing behind that would make the next one leave.
  await assert.rejects(sender.sendMetricNow('a', 1, { timestamp: 1.5 }), { field: 'timestamp', problem: 'malformed' });
  sender.sendMetric('waits', 1);
  assert.equal(await sender.sendMetricNow('a', 1, { tags: { own: 'yes' } }), 1);
  assert.deepEqual(proxy.requests.map(({ body }) => `${body}`), ['"a" 1.0 source="s" "own"="yes" "env"="now"\n']);
  assert.equal(sender.stats().metric.queued, 1);
  assert.equal(await sender.sendMetricNow('∆b', 2), 1);
  assert.equal(await sender.sendMetricNow('∆c', 0), 0);
  assert.equal(await sender.sendDistributionNow('c', [[1, 2]], { granularities: ['minute', 'hour'] }), 2);
  assert.equal(await sender.sendSpanNow({ ...SPAN, logs: [{ timestamp: 1552949776000123, fields: { event: 'error' } }] }), 2);
  assert.equal(proxy.requests.length, 5, 'the logs have one too');
  const { total } = sender.stats();
  assert.deepEqual([total.delivered, total.queued, total.skipped], [6, 1, 1]);
  assert.equal((await sender.close()).complete, true);
  proxy.close();
});

test('they arrive at the collector, many at once too', async () => {
  const sender = new Sender({ server: collector.url, source: 's' });
  const lines = await Promise.all(Array.from({ length: 50 }, (_, value) => sender.sendMetricNow('now.many', value)));
  assert.deepEqual(lines, Array(50).fill(1));
  await collector.arrived('now.many', 50);
  assert.equal((await sender.close()).complete, true);
});

test('a refused token keeps the line, and says so at the first try', async () => {
  for (const status of [401, 403]) {
    const direct = await receiver(() => [status]);
    const sender = new Sender({ server: direct.url, token: 'secret', source: 's' });
    const told = await failed(sender.sendMetricNow('a', 1));
    assert.deepEqual(told, { code: 'auth', status, kind: 'metric', delivered: 0, kept: 1, dropped: 0 });
    assert.deepEqual([direct.requests.length, sender.stats().metric.queued], [1, 1]);
    balanced((await sender.close({ timeoutMs: 0 })).stats);
    direct.close();
  }
});

test('without a receiver the line is kept', async () => {
  const sender = new Sender({ server: 'http://127.0.0.1:1', source: 's' });
  const told = await failed(sender.sendSpanNow({ ...SPAN, logs: [{ timestamp: 1, fields: { a: 'b' } }] }));
  assert.deepEqual([told.code, told.delivered, told.kept, told.dropped], ['failed', 0, 2, 0]);
  assert.equal(sender.stats().total.queued, 2);
  balanced((await sender.close({ timeoutMs: 0 })).stats);
});

test('a receiver that asks for time has the line later, and the caller is told at once', async () => {
  const proxy = await receiver((_, count) => (count === 1 ? [429, { 'Retry-After': '1' }] : [202]));
  const sender = new Sender({ server: proxy.url, source: 's' });
  const told = await failed(sender.sendMetricNow('a', 1));
  assert.deepEqual(told, { code: 'failed', status: 429, kind: 'metric', delivered: 0, kept: 1, dropped: 0 });
  assert.equal((await sender.flush()).complete, true);
  assert.deepEqual([proxy.requests.length, sender.stats().metric.delivered], [2, 1]);
  await sender.close();
  proxy.close();
});

test('lines that are refused for good, or too large, are lost', async () => {
  for (const [status, code] of [[400, 'rejected'], [413, 'too-large']]) {
    const proxy = await receiver(() => [status]);
    const incidents = [];
    const sender = new Sender({ server: proxy.url, source: 's', onError: (incident) => incidents.push(incident) });
    const told = await failed(sender.sendDistributionNow('a', [[1, 1]], { granularities: ['minute', 'day'] }));
    assert.deepEqual(told, { code, status, kind: 'histogram', delivered: 0, kept: 0, dropped: 2 });
    assert.equal(incidents.reduce((sum, { lines }) => sum + lines, 0), 2);
    balanced((await sender.close()).stats);
    proxy.close();
  }
});

test('a close ends it, and no outcome in time is one', async () => {
  const silent = await receiver(() => new Promise(() => {}));
  const closing = new Sender({ server: silent.url, source: 's' });
  const told = failed(closing.sendMetricNow('a', 1));
  await closing.close({ timeoutMs: 50 });
  assert.deepEqual(await told, { code: 'closed', status: undefined, kind: 'metric', delivered: 0, kept: 0, dropped: 1 });
  await assert.rejects(closing.sendMetricNow('a', 1), { code: 'closed' });
  const waiting = new Sender({ server: silent.url, source: 's', requestTimeoutMs: 50 });
  const late = await failed(waiting.sendMetricNow('a', 1));
  assert.deepEqual([late.code, late.kept], ['failed', 1]);
  balanced((await waiting.close({ timeoutMs: 0 })).stats);
  silent.close();
});

test('what is wrong, and what finds no room, is refused and counted', async () => {
  const told = [];
  const onError = ({ code, lines }) => code === 'queue-full' && told.push(lines);
  const sender = new Sender({ server: 'http://127.0.0.1:1', source: 's', maxQueueSize: 1, onError });
  await assert.rejects(sender.sendMetricNow('', 1), { code: 'invalid', field: 'metric name', problem: 'blank' });
  await assert.rejects(sender.sendMetricNow(7, 1), { code: 'invalid', field: 'metric name', problem: 'malformed' });
  await assert.rejects(sender.sendSpanNow({}), { code: 'invalid' });
  assert.equal(sender.stats().total.invalid, 3);
  sender.sendMetric('a', 1);
  await assert.rejects(sender.sendMetricNow('b', 1), { code: 'queue-full', message: 'the queue is full' });
  assert.deepEqual([sender.stats().metric.dropped.queueFull, told], [1, [1]]);
  balanced((await sender.close({ timeoutMs: 0 })).stats);
});
