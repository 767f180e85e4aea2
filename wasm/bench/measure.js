// What is measured, in whatever runtime: lines a second until they are the bytes of requests.

import { ValueType } from '@opentelemetry/api';
import { JsonMetricsSerializer, ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationTemporality, DataPointType } from '@opentelemetry/sdk-metrics';

import { Plain } from './plain.js';

const LINES = 20_000;
const BATCH = 10_000;
const ROUNDS = 25;

const NAMES = Array.from({ length: 16 }, (_, at) => `new-york.power.usage.${at}`);
const SOURCE = 'localhost';
const TAGS = { datacenter: 'dc1', region: 'us-west' };
const TIME = 1493773500;
const value = (line) => line * 0.37;
let unique = 0;

/** The median rate of each way, in lines a second: `{NAME: RATE}`. The requests of `Sender` are answered at once. */
export async function measure(Sender) {
  globalThis.fetch = async () => new Response(null, { status: 202 });
  const sender = new Sender({ server: 'proxy://localhost', source: SOURCE });
  const series = NAMES.map((name) => sender.prepare(name, SOURCE, TAGS));
  const plain = new Plain();
  const flush = () => sender.flush();
  const ways = {
    sendMetric: {
      send: (line) => sender.sendMetric(NAMES[line & 15], value(line), { timestamp: TIME, source: SOURCE, tags: TAGS }),
      after: flush,
    },
    'no series twice': {
      send(line) {
        const tags = { datacenter: 'dc1', region: `r${unique++}` };
        sender.sendMetric(NAMES[line & 15], value(line), { timestamp: TIME, source: SOURCE, tags });
      },
      after: flush,
    },
    'series.send': { send: (line) => series[line & 15].send(value(line), TIME), after: flush },
    'plain JavaScript': {
      send: (line) => plain.sendMetric(NAMES[line & 15], value(line), { timestamp: TIME, source: SOURCE, tags: TAGS }),
      end: () => plain.body(),
    },
  };
  const serializers = { 'OTLP, JSON': JsonMetricsSerializer, 'OTLP, protobuf': ProtobufMetricsSerializer };
  for (const [name, serializer] of Object.entries(serializers)) {
    const send = (line) => otlp.add(NAMES[line & 15], value(line));
    ways[name] = { send, end: () => otlp.serialize(serializer) };
  }
  const rates = Object.fromEntries(Object.keys(ways).map((name) => [name, []]));
  // All of them in each round, so that they are alike in what else the machine does.
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, way] of Object.entries(ways)) rates[name].push(await rate(way));
  }
  const { complete } = await sender.close();
  if (!complete) throw new Error('not everything was delivered');
  // The median: the first rounds are not compiled yet.
  return Object.fromEntries(Object.entries(rates).map(([name, found]) => [name, found.sort((a, b) => a - b)[ROUNDS >> 1]]));
}

// The rate of `send` for each line and `end` for all of them; what is done `after` that is not timed.
async function rate({ send, end, after }) {
  const began = performance.now();
  for (let line = 0; line < LINES; line++) send(line);
  end?.();
  const rate = (LINES / (performance.now() - began)) * 1000;
  await after?.();
  return rate;
}

// The same points as the exporter's reader collects them, serialized in batches of the same size. What the SDK does before
// that, its instruments and their sums, is not in it.
const otlp = {
  resource: resourceFromAttributes({ 'host.name': SOURCE }),
  points: new Map(NAMES.map((name) => [name, []])),
  count: 0,
  full: [],
  add(name, value) {
    const at = [TIME, 0];
    otlp.points.get(name).push({ startTime: at, endTime: at, attributes: TAGS, value });
    if (++otlp.count % BATCH === 0) otlp.cut();
  },
  cut() {
    const metrics = [...otlp.points].map(([name, dataPoints]) => ({
      descriptor: { name, description: '', unit: '', valueType: ValueType.DOUBLE },
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
      dataPointType: DataPointType.GAUGE,
      dataPoints,
    }));
    otlp.full.push({ resource: otlp.resource, scopeMetrics: [{ scope: { name: 'bench' }, metrics }] });
    otlp.points = new Map(NAMES.map((name) => [name, []]));
  },
  serialize: (serializer) => otlp.full.splice(0).map((batch) => serializer.serializeRequest(batch).length),
};
