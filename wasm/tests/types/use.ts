// Every part of the API, as somebody would use it who lets the compiler check.

import init, {
  Sender,
  WavefrontError,
  eventToLine,
  histogramToLine,
  metricToLine,
  spanLogsToLine,
  spanToLine,
  type CloseReport,
  type FlushReport,
  type Incident,
  type Series,
  type Span,
  type Stats,
  type Undelivered,
} from 'wavefront-sdk';
import initWeb from 'wavefront-sdk/web';
import initSlim from 'wavefront-sdk/slim';

await init();
await initWeb();
await initSlim(new URL('https://example.com/wavefront_sdk_bg.wasm'));

const told: Incident[] = [];
await using sender = new Sender({
  server: 'https://example.wavefront.com',
  token: 'secret',
  source: 'web-1',
  tags: { env: 'prod' },
  maxQueueSize: 1000,
  batchSize: 100,
  flushIntervalMs: 1000,
  requestTimeoutMs: 1000,
  onError: (incident) => void told.push(incident),
});

const queued: boolean = sender.sendMetric('a', 1, { timestamp: new Date(), source: 's', tags: new Map([['k', 'v']]) });
sender.sendDeltaCounter('a', 1, { tags: [['k', 'v']] });
sender.sendDistribution('a', [[30, 20]], { granularities: ['minute', 'hour'], timestamp: 1493773500 });
const span: Span = {
  name: 'getAllUsers',
  startMillis: Date.now(),
  durationMillis: 343,
  traceId: crypto.randomUUID(),
  spanId: crypto.randomUUID(),
  logs: [{ timestamp: 1552949776000123, fields: { event: 'error' } }],
};
sender.sendSpan(span);
sender.sendEvent({ name: 'e', startMillis: new Date(), tags: ['t'], annotations: { severity: 'warn' } });
const series: Series = sender.prepare('a', 's', { k: 'v' });
series.send(1, Date.now());

const delivered: number = (await sender.sendMetricNow('a', 1, { tags: { k: 'v' } })) + (await sender.sendDistributionNow('a', [[1, 1]]));
const kept: number = await sender.sendSpanNow(span).then(
  () => 0,
  (error: Undelivered) => (error.code === 'pending' || error.status === 429 ? error.kept : error.dropped),
);

const flushed: FlushReport = await sender.flush({ timeoutMs: 100, signal: AbortSignal.timeout(50) });
const stats: Stats = sender.stats();
const count: number = stats.metric.dropped.queueFull + stats.total.delivered + sender.failureCount();
const lines: string = [metricToLine('a', 1), histogramToLine('a', [[1, 2]]), spanToLine(span), spanLogsToLine(span)].join('');
const line: string = eventToLine({ name: 'e', startMillis: 1 }, { defaultSource: 's' });

try {
  sender.sendMetric('', 1);
} catch (error) {
  if (error instanceof WavefrontError && error.code === 'invalid') console.log(error.field, error.problem === 'blank');
}
const closed: CloseReport = await sender.close({ timeoutMs: 10 });
console.log(queued, delivered, kept, flushed.complete, count, lines, line, closed.lost, told[0]?.fate === 'kept');

// @ts-expect-error A server is needed.
new Sender({});
// @ts-expect-error Tags are strings.
sender.sendMetric('a', 1, { tags: { k: 1 } });
// @ts-expect-error There is no such granularity.
sender.sendDistribution('a', [[1, 1]], { granularities: ['week'] });
