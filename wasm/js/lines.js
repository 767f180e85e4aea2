// Data to lines, without a sender.

import { checked, core, out, started, write } from './border.js';
import * as data from './data.js';

function begin(defaultSource) {
  started();
  return [data.optional(defaultSource, 'default source')];
}

// The place of lines that go to no queue.
const TEXT = -1;

function text(lines) {
  checked(lines);
  return out();
}

export function metricToLine(name, value, given) {
  const { timestamp, source, tags, defaultSource } = data.options(given);
  const strings = begin(defaultSource);
  strings.push(data.string(name, 'metric name'), data.optional(source, 'source'));
  data.pairs(strings, tags, 'tag');
  const at = data.time(timestamp);
  return text(core.metric(TEXT, write(strings), data.number(value), at));
}

export function histogramToLine(name, centroids, given) {
  const { granularities, timestamp, source, tags, defaultSource } = data.options(given);
  const strings = begin(defaultSource);
  strings.push(data.string(name, 'histogram name'), data.optional(source, 'source'));
  data.pairs(strings, tags, 'tag');
  const [figures, bits, at] = [data.centroids(centroids), data.granularities(granularities), data.time(timestamp)];
  return text(core.histogram(TEXT, write(strings, figures), figures.length, bits, at));
}

export function spanToLine(span, given) {
  return spanText(false, span, given);
}

export function spanLogsToLine(span, given) {
  return spanText(true, span, given);
}

function spanText(logs, span, given) {
  const strings = begin(data.options(given).defaultSource);
  const figures = data.span(strings, span);
  return text(core.span(TEXT, write(strings, figures), figures.length, logs));
}

export function eventToLine(event, given) {
  const strings = begin(data.options(given).defaultSource);
  const [tags, start, end] = data.event(strings, event);
  return text(core.event(TEXT, write(strings), tags, start, end));
}
