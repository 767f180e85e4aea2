// Every kind to a real collector, and every sort of trouble with a receiver of the test's own. Timings decide nothing.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Sender, WavefrontError } from 'wavefront-sdk';
import { eventually, startCollector } from '../runtimes/lib/collector.js';
import { balanced, receiver } from './receiver.js';

const UUID = '7b3bf470-9456-11e8-9eb6-529269fb1459';
const SPAN = { name: 'get', startMillis: 1552949776000, durationMillis: 343, traceId: UUID, spanId: UUID };

// Nothing may ever be thrown where nobody can catch it.
const loose = [];
process.on('unhandledRejection', (error) => loose.push(error));
process.on('uncaughtException', (error) => loose.push(error));

let collector;
before(async () => (collector = await startCollector()));
after(async () => {
  const summary = await collector.stop();
  assert.deepEqual(loose, []);
  assert.match(JSON.stringify(summary), /"rejected":0/);
});

test('every kind arrives, and the ledger says so', async () => {
  const sender = new Sender({ server: collector.url, source: 'node', tags: { env: 'every-kind', own: 'no' } });
  assert.equal(sender.sendMetric('a metric', 1, { tags: { own: 'yes' } }), true);
  sender.sendDeltaCounter('counter', 2, { tags: new Map([['x', 'y']]) });
  sender.sendDistribution('latency', [[30, 20], [5.1, 10]], { granularities: ['minute', 'day'] });
  sender.sendSpan({ ...SPAN, logs: [{ timestamp: 1552949776000123, fields: { event: 'error' } }] });
  sender.sendEvent({ name: 'every-kind', startMillis: new Date(), tags: ['t'], annotations: { severity: 'warn' } });
  sender.prepare('series').send(3, new Date());
  assert.deepEqual(await sender.flush(), { complete: true, left: 0, lost: 0 });
  assert.equal((await collector.arrived('every-kind', 8)).length, 8);
  const [metric] = await collector.arrived('"a-metric" 1.0');
  assert.equal(metric, '"a-metric" 1.0 source="node" "own"="yes" "env"="every-kind"');
  const stats = sender.stats();
  balanced(stats);
  assert.deepEqual(
    Object.entries(stats).map(([kind, row]) => [kind, row.delivered]),
    [['metric', 2], ['delta', 1], ['histogram', 2], ['span', 1], ['spanLogs', 1], ['event', 1], ['sourceTag', 0], ['total', 8]],
  );
  const report = await sender.close();
  assert.equal(report.complete, true);
  assert.equal(sender.failureCount(), 0);
  assert.deepEqual(sender.stats(), report.stats);
});

test('a hundred thousand lines leave compressed, in batches, and arrive once', async () => {
  const sender = new Sender({ server: collector.url, source: 'many' });
  const series = sender.prepare('hundred.thousand');
  for (let sent = 0; sent < 100_000; sent++) {
    if (!series.send(sent)) assert.fail(`line ${sent} found no room`);
    if (sent % 20_000 === 19_999) await sender.flush();
  }
  const { complete, stats } = await sender.close({ timeoutMs: 30_000 });
  assert.equal(complete, true);
  assert.equal(stats.total.delivered, 100_000);
  assert.equal(new Set(await collector.arrived('hundred.thousand', 100_000)).size, 100_000);
});

test('lines leave by themselves after the interval', async () => {
  const sender = new Sender({ server: collector.url, source: 's', flushIntervalMs: 20 });
  sender.sendMetric('by.itself', 1);
  await collector.arrived('by.itself');
  await sender.close();
});

test('without a collector lines stay, and the close says what is lost', async () => {
  const incidents = [];
  const sender = new Sender({ server: 'http://127.0.0.1:1', source: 's', onError: (incident) => incidents.push(incident) });
  sender.sendMetric('a', 1);
  const flushed = await sender.flush({ timeoutMs: 200 });
  assert.deepEqual(flushed, { complete: false, left: 1, lost: 0 });
  const report = await sender.close({ timeoutMs: 50 });
  assert.deepEqual([report.complete, report.lost, report.stats.total.dropped.closed], [false, 1, 1]);
  balanced(report.stats);
  assert.ok(incidents.every((incident) => incident instanceof WavefrontError));
  assert.deepEqual([incidents[0].code, incidents[0].fate, incidents[0].kind], ['failed', 'kept', 'metric']);
  const last = incidents.at(-1);
  assert.deepEqual([last.code, last.fate, last.lines], ['closed', 'dropped', 1]);
  assert.throws(() => sender.sendMetric('a', 1), { code: 'closed' });
  assert.strictEqual(await sender.close(), report);
  assert.deepEqual(await sender.flush(), { complete: true, left: 0, lost: 0 });
});

test('a receiver that asks for time gets it', async () => {
  const proxy = await receiver((_, count) => (count === 1 ? [429, { 'Retry-After': '1' }] : [202]));
  const sender = new Sender({ server: proxy.url, source: 's' });
  sender.sendMetric('a', 1);
  const began = performance.now();
  assert.equal((await sender.flush()).complete, true);
  assert.ok(performance.now() - began >= 990);
  assert.equal(proxy.requests.length, 2);
  assert.equal(sender.stats().metric.resent, 1);
  await sender.close();
  proxy.close();
});

test('a batch that is too large comes in halves', async () => {
  const proxy = await receiver(({ headers }) => (Number(headers['content-length']) > 100 ? [413] : [202]));
  const sender = new Sender({ server: proxy.url, source: 's' });
  for (let line = 0; line < 12; line++) sender.sendMetric(`m${line}`, 1);
  sender.sendMetric('x'.repeat(120), 1);
  assert.deepEqual(await sender.flush(), { complete: false, left: 0, lost: 1 });
  const { metric } = sender.stats();
  assert.deepEqual([metric.delivered, metric.dropped.tooLarge], [12, 1]);
  await sender.close();
  proxy.close();
});

test('direct ingestion has its token, its paths and its events', async () => {
  const direct = await receiver();
  const sender = new Sender({ server: direct.url, token: 'secret', source: 's' });
  sender.sendMetric('a', 1);
  sender.sendSpan(SPAN);
  sender.sendEvent({ name: 'one', startMillis: 5 });
  sender.sendEvent({ name: 'two', startMillis: 5 });
  assert.equal((await sender.close()).complete, true);
  assert.ok(direct.requests.every(({ headers }) => headers.authorization === 'Bearer secret'));
  const urls = direct.requests.map(({ url }) => url).sort();
  assert.deepEqual(urls, ['/api/v2/event', '/api/v2/event', '/report?f=trace', '/report?f=wavefront']);
  const event = direct.requests.find(({ url }) => url === '/api/v2/event');
  assert.equal(JSON.parse(event.body).hosts[0], 's');
  direct.close();
});

test('a refused token keeps the lines, a refused line does not', async () => {
  for (const [status, code, fate] of [[401, 'auth', 'kept'], [403, 'auth', 'kept'], [400, 'rejected', 'dropped'], [302, 'rejected', 'dropped']]) {
    const proxy = await receiver(() => [status, { Location: 'http://127.0.0.1:1/' }]);
    const incidents = [];
    const sender = new Sender({ server: proxy.url, source: 's', onError: (incident) => incidents.push(incident) });
    sender.sendMetric('a', 1);
    const { left, lost } = await sender.flush({ timeoutMs: 300 });
    assert.deepEqual([left, lost], fate === 'kept' ? [1, 0] : [0, 1], `${status}`);
    const [{ code: told, status: answered, lines }] = incidents;
    assert.deepEqual([told, answered, lines], [code, status, 1]);
    balanced((await sender.close({ timeoutMs: 0 })).stats);
    proxy.close();
  }
});

test('a flush can be given up', async () => {
  const hangs = createServer(() => {});
  await once(hangs.listen(0, '127.0.0.1'), 'listening');
  const sender = new Sender({ server: `http://127.0.0.1:${hangs.address().port}`, source: 's', requestTimeoutMs: 400 });
  sender.sendMetric('a', 1);
  await assert.rejects(sender.flush({ signal: AbortSignal.abort(new Error('before')) }), /before/);
  const controller = new AbortController();
  const flushed = sender.flush({ signal: controller.signal });
  setTimeout(() => controller.abort(new Error('enough')), 20);
  await assert.rejects(flushed, /enough/);
  assert.deepEqual(await sender.flush({ timeoutMs: 20 }), { complete: false, left: 1, lost: 0 });
  assert.equal((await sender.close({ timeoutMs: 20 })).stats.total.dropped.closed, 1);
  hangs.closeAllConnections();
  hangs.close();
});

test('a flush that the close overtakes says what was lost', async () => {
  const sender = new Sender({ server: 'http://127.0.0.1:1', source: 's' });
  sender.sendMetric('a', 1);
  sender.sendMetric('b', 1);
  const flushed = sender.flush({ timeoutMs: 60_000 });
  const closed = await sender.close({ timeoutMs: 50 });
  assert.equal(closed.lost, 2);
  assert.deepEqual(await flushed, { complete: false, left: 0, lost: 2 });
});

test('a close with options that are none closes nothing', async () => {
  const sender = new Sender({ server: collector.url, source: 's' });
  for (const options of [{ timeoutMs: 'soon' }, { timeoutMs: -1 }, 7]) {
    await assert.rejects(sender.close(options), (error) => ['option', 'invalid'].includes(error.code), `${options}`);
  }
  assert.equal(sender.sendMetric('not.closed', 1), true);
  assert.equal((await sender.close()).complete, true);
  await collector.arrived('not.closed');
});

test('who is told of a full queue may send, and is told once', async () => {
  let told = 0;
  const onError = () => {
    told++;
    sender.sendMetric('again', 1);
  };
  const sender = new Sender({ server: 'http://127.0.0.1:1', source: 's', maxQueueSize: 1, onError });
  assert.deepEqual([sender.sendMetric('a', 1), sender.sendMetric('b', 1), told], [true, false, 1]);
  assert.equal(sender.stats().metric.dropped.queueFull, 2);
  balanced((await sender.close({ timeoutMs: 0 })).stats);
});

test('a full queue says no, and counts', async () => {
  const incidents = [];
  const onError = (incident) => {
    incidents.push(incident);
    throw new Error('the hook fails');
  };
  const sender = new Sender({ server: 'http://127.0.0.1:1', source: 's', maxQueueSize: 10, onError });
  const taken = Array.from({ length: 30 }, (_, value) => sender.sendMetric('m', value));
  assert.deepEqual([taken.filter(Boolean).length, sender.stats().metric.dropped.queueFull, sender.failureCount()], [10, 20, 20]);
  assert.deepEqual([incidents[0].code, incidents[0].kind, incidents[0].lines], ['queue-full', 'metric', 1]);
  assert.equal(sender.sendDeltaCounter('d', 1), true, 'each kind has its queue');
  balanced((await sender.close({ timeoutMs: 0 })).stats);
  const told = incidents.filter(({ code }) => code === 'queue-full');
  assert.deepEqual(told.map(({ kind, lines }) => [kind, lines]), [['metric', 1], ['metric', 19]], 'each is told of');
});

test('of a span that finds no room its logs are told of too', async () => {
  const told = [];
  const onError = ({ code, kind, lines }) => told.push([code, kind, lines]);
  const options = { server: 'http://127.0.0.1:1', source: 's', onError };
  const logs = [{ timestamp: 1552949776000123, fields: { event: 'error' } }];
  const small = new Sender({ ...options, maxQueueSize: 1 });
  assert.deepEqual([small.sendSpan({ ...SPAN, logs }), small.sendSpan({ ...SPAN, logs })], [true, false]);
  assert.deepEqual(told.splice(0), [['queue-full', 'span', 1], ['queue-full', 'spanLogs', 1]]);
  balanced((await small.close({ timeoutMs: 0 })).stats);
  assert.deepEqual(told.splice(0), [['closed', undefined, 2]]);
  // And where only the logs find none, only they are.
  const large = new Sender(options);
  const span = { ...SPAN, logs: [{ timestamp: 1, fields: { stack: 'x'.repeat(30_000) } }] };
  while (large.sendSpan(span)) assert.ok(large.stats().spanLogs.accepted < 1000);
  assert.deepEqual(told, [['queue-full', 'spanLogs', 1]]);
  const { stats } = await large.close({ timeoutMs: 0 });
  assert.deepEqual([stats.span.dropped.queueFull, stats.spanLogs.dropped.queueFull], [0, 1]);
  balanced(stats);
});

test('what finds no room just after others is told of soon, though nothing else is to do', async (t) => {
  const proxy = await receiver(() => [429, { 'Retry-After': '3600' }]);
  t.after(proxy.close);
  const told = [];
  const onError = ({ code, kind, lines }) => code === 'queue-full' && told.push([kind, lines]);
  const sender = new Sender({ server: proxy.url, source: 's', maxQueueSize: 10, flushIntervalMs: 3_600_000, onError });
  for (let sent = 0; sent < 30; sent++) sender.sendMetric('m', sent);
  for (let sent = 0; sent < 15; sent++) sender.sendDeltaCounter('d', 1);
  await eventually('third incident', () => told.length >= 3);
  balanced((await sender.close({ timeoutMs: 0 })).stats);
  assert.deepEqual(told, [['metric', 1], ['metric', 19], ['delta', 5]]);
});

test('a queue that is full leaves at once', async (t) => {
  const proxy = await receiver();
  t.after(proxy.close);
  const sender = new Sender({ server: proxy.url, source: 's', maxQueueSize: 10, flushIntervalMs: 3_600_000 });
  for (let sent = 0; sent < 5; sent++) sender.sendMetric('m', sent);
  // Now there is a timer, for an hour.
  await sleep(10);
  for (let sent = 0; sent < 10; sent++) sender.sendMetric('m', sent);
  await eventually('delivered lines', () => sender.stats().metric.delivered === 10);
  assert.equal(sender.stats().metric.dropped.queueFull, 5);
  await sender.close();
});

test('what is wrong is said, and counted', async () => {
  const sender = new Sender({ server: collector.url, source: 's' });
  for (const [call, field, problem] of [
    [() => sender.sendMetric('  ', 1), 'metric name', 'blank'],
    [() => sender.sendMetric('a', NaN), 'value', 'not-finite'],
    [() => sender.sendMetric('a', '1'), 'value', 'not-finite'],
    [() => sender.sendMetric('a', 1, { timestamp: -1 }), 'timestamp', 'negative'],
    [() => sender.sendMetric('a', 1, { timestamp: 1.5 }), 'timestamp', 'malformed'],
    [() => sender.sendMetric('a', 1, { tags: { source: 'x' } }), 'tag key', 'reserved-key'],
    [() => sender.sendMetric(7, 1), 'metric name', 'malformed'],
    [() => sender.sendDeltaCounter('a', -1), 'value', 'negative'],
    [() => sender.sendDistribution('a', []), 'centroids', 'missing'],
    [() => sender.sendDistribution('a', [[1, 1.5]]), 'centroid count', 'malformed'],
    [() => sender.sendSpan({ ...SPAN, traceId: 'x' }), 'trace id', 'malformed'],
    [() => sender.sendEvent({ name: 'a', startMillis: 0 }), 'timestamp', 'zero'],
    [() => sender.prepare('∆').send(1), 'metric name', 'prefix-only'],
  ]) {
    assert.throws(call, (error) => error instanceof WavefrontError && error.code === 'invalid' && error.field === field && error.problem === problem, `${call}`);
  }
  assert.equal(sender.stats().total.invalid, 12);
  assert.equal(sender.sendDeltaCounter('zero', 0), true);
  assert.equal(sender.stats().delta.skipped, 1);
  await sender.close();
  for (const server of [undefined, '', 'ftp://x', 'tcp://localhost', 'http://t@example.com', 'proxy://t@h', 'https://h:0']) {
    assert.throws(() => new Sender({ server }), (error) => ['endpoint', 'option'].includes(error.code) && !error.message.includes('t@'));
  }
  assert.throws(() => new Sender({ server: collector.url, batchSize: 0 }), { code: 'option', field: 'batchSize' });
});

test('senders that are closed leave nothing behind', async () => {
  for (let round = 0; round < 200; round++) {
    const sender = new Sender({ server: collector.url, source: 's' });
    sender.prepare('left.behind').send(round);
    assert.equal((await sender.close()).complete, true);
  }
  await collector.arrived('left.behind', 200);
});
