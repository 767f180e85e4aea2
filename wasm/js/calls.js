// Each datum as a call of the core. All that the caller gave is read here, behind the strings that are there already; the
// function that this gives makes the call, for a sender or for the text. Of a metric that a sender knows, only the value is.

import { core, write } from './border.js';
import * as data from './data.js';
import { KINDS } from './ledger.js';

const [METRIC, DELTA, HISTOGRAM, SPAN, SPAN_LOGS, EVENT] = KINDS.keys();
const SERIES = KINDS.length;

const send = (what, strings, figures) => (place) => core.send(place, what, write(strings, figures), figures.length);

export function metric(strings, name, value, given) {
  const { timestamp, source, tags } = data.options(given);
  head(strings, name, 'metric name', source, tags);
  const [figure, at] = [data.number(value), data.time(timestamp)];
  return (place, known) => {
    const series = known ? known.find(place, strings) : -1;
    return series < 0 ? send(METRIC, strings, [at, figure])(place) : core.value(place, series, figure, at);
  };
}

export function delta(strings, name, value, given) {
  const { source, tags } = data.options(given);
  head(strings, name, 'metric name', source, tags);
  return send(DELTA, strings, [-1, data.number(value)]);
}

export function histogram(strings, name, centroids, given) {
  const { granularities, timestamp, source, tags } = data.options(given);
  head(strings, name, 'histogram name', source, tags);
  const [figures, bits, at] = [data.centroids(centroids), data.granularities(granularities), data.time(timestamp)];
  return send(HISTOGRAM, strings, [at, bits, ...figures]);
}

// The line of a span, and in a sender that of its logs; or, of the text, only that of its logs.
export function span(strings, given, logs = false) {
  return send(logs ? SPAN_LOGS : SPAN, strings, data.span(strings, given));
}

export function event(strings, given) {
  return send(EVENT, strings, data.event(strings, given));
}

export function series(strings, name, source, tags) {
  head(strings, name, 'metric name', source, tags);
  return prepare(strings);
}

// A metric whose value is 1, as the core takes a series.
export const prepare = (strings) => send(SERIES, strings, [-1, 1]);

function head(strings, name, field, source, tags) {
  strings.push(data.string(name, field), data.optional(source, 'source'));
  data.pairs(strings, tags, 'tag');
}
