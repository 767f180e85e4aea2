// The recorded vectors through the module: what it writes is what the native encoder writes, byte for byte. `NATIVE_LINES` is
// the file in which `tests/golden.rs` left that.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { Sender, eventToLine, histogramToLine, metricToLine, spanToLine } from 'wavefront-sdk';

const rows = (path) => readFileSync(path, 'utf8').trim().split('\n').map((line) => JSON.parse(line));

const golden = rows(new URL('../../../tests/golden/python-2.1.0.jsonl', import.meta.url));
const native = new Map(rows(process.env.NATIVE_LINES).map((row) => [row.id, row]));

const GRANULARITIES = { '!M': 'minute', '!H': 'hour', '!D': 'day' };

// `None` of Python is blank.
const text = (value) => value ?? '';
const number = (value) => (value?.$float === undefined ? value : Number(value.$float.replace('inf', 'Infinity')));
// The fraction of a timestamp is cut, as Python does.
const time = (value) => (typeof value === 'number' ? Math.trunc(value) : value ?? undefined);
const id = (value) => value?.$uuid ?? String(value);
const blank = (tags) => Object.fromEntries(Object.entries(tags ?? {}).map(([key, value]) => [key, text(value)]));

const REPLAY = {
  metric_to_line_data: (args) =>
    metricToLine(text(args.name), number(args.value), {
      timestamp: time(args.timestamp),
      source: text(args.source),
      tags: blank(args.tags),
      defaultSource: text(args.default_source),
    }),
  histogram_to_line_data: (args) =>
    histogramToLine(text(args.name), (args.centroids ?? []).map(([mean, count]) => [number(mean), number(count)]), {
      granularities: (args.histogram_granularities ?? []).map((mark) => GRANULARITIES[mark]),
      timestamp: time(args.timestamp),
      source: text(args.source),
      tags: blank(args.tags),
      defaultSource: text(args.default_source),
    }),
  tracing_span_to_line_data: (args) =>
    spanToLine(
      {
        name: text(args.name),
        startMillis: args.start_millis,
        durationMillis: args.duration_millis,
        source: text(args.source),
        traceId: id(args.trace_id),
        spanId: id(args.span_id),
        parents: (args.parents ?? []).map(id),
        followsFrom: (args.follows_from ?? []).map(id),
        tags: (args.tags ?? []).map(([key, value]) => [text(key), text(value)]),
        logs: (args.span_logs ?? []).map((log) => log.$SpanLog ?? log),
      },
      { defaultSource: text(args.default_source) },
    ),
  event_to_line_data: (args) =>
    eventToLine(
      {
        name: text(args.name),
        startMillis: time(args.start_time) ?? 0,
        endMillis: time(args.end_time),
        source: text(args.source),
        tags: args.tags ?? [],
        annotations: blank(args.annotations),
      },
      { defaultSource: text(args.default_source) },
    ),
};

const kebab = (problem) => problem.replace(/ .*/, '').replace(/(?<!^)[A-Z]/g, '-$&').toLowerCase();

// What a number of JavaScript's does not hold (a time in ns) nobody can give.
const sayable = ({ timestamp }) => typeof timestamp !== 'number' || timestamp <= Number.MAX_SAFE_INTEGER;

test('every vector is what the native encoder makes of it', () => {
  let compared = 0;
  for (const { id, fn, args } of golden) {
    const replay = REPLAY[fn];
    const expected = native.get(id);
    // What its types cannot even say has no counterpart.
    if (!replay || !(expected?.output || expected?.problem) || !sayable(args)) continue;
    let ours;
    try {
      ours = { output: replay(args) };
    } catch (error) {
      assert.equal(error.code, 'invalid', `row ${id}: ${error.stack}`);
      ours = { problem: error.problem };
    }
    const theirs = expected.problem ? { problem: kebab(expected.problem) } : { output: expected.output };
    assert.deepEqual(ours, theirs, `row ${id}`);
    compared++;
  }
  assert.equal(compared, 103, 'rows of these functions');
});

test('a series says the same as a metric', async () => {
  const bodies = [];
  globalThis.fetch = async (_, { body }) => {
    bodies.push(new TextDecoder().decode(body));
    return new Response(null, { status: 202 });
  };
  for (const { fn, args } of golden) {
    if (fn !== 'metric_to_line_data') continue;
    const sender = new Sender({ server: 'proxy://localhost', source: args.default_source || undefined });
    const options = { timestamp: time(args.timestamp), source: text(args.source), tags: blank(args.tags) };
    try {
      sender.sendMetric(text(args.name), number(args.value), options);
    } catch {
      continue;
    }
    sender.prepare(text(args.name), options.source, options.tags).send(number(args.value), options.timestamp);
    const { stats } = await sender.close();
    assert.equal(stats.total.delivered, stats.total.accepted);
    const [first, second] = bodies.splice(0).join('').trimEnd().split('\n');
    assert.equal(second, first);
  }
});
