// Each datum as a call of the core. All that the caller gave is read here, behind the strings that are there already; the
// function that this gives makes the call, for a sender or for the text. Of a metric that a sender knows, only the value is.

import * as core from '../dist/parts/core.js';
import { write } from './border.js';
import * as data from './data.js';
import { KINDS } from './ledger.js';

const [METRIC, DELTA, HISTOGRAM, SPAN, SPAN_LOGS, EVENT] = KINDS.keys();
const SERIES = KINDS.length;

const send = (what, strings, figures) => (place) => core.send(place, what, write(strings, figures), figures.length);

export function metric(strings, name, value, given) {
  const { timestamp } = head(strings, 'metric name', name, given);
  const [figure, at] = [data.number(value), data.time(timestamp)];
  return (place, known) => {
    const series = known ? known.find(place, strings) : -1;
    return series < 0 ? send(METRIC, strings, [at, figure])(place) : core.value(place, series, figure, at);
  };
}

export function delta(strings, name, value, given) {
  head(strings, 'metric name', name, given);
  return send(DELTA, strings, [-1, data.number(value)]);
}

export function histogram(strings, name, centroids, given) {
  const { granularities, timestamp } = head(strings, 'histogram name', name, given);
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
  head(strings, 'metric name', name, { source, tags });
  return prepare(strings);
}

// A metric whose value is 1, as the core takes a series.
export const prepare = (strings) => send(SERIES, strings, [-1, 1]);

// Name, source and tags; gives the options, for what else there is in them.
function head(strings, field, name, given) {
  const options = data.options(given);
  const { source, tags } = options;
  strings.push(data.string(name, field), data.optional(source, 'source'));
  data.pairs(strings, tags, 'tag');
  return options;
}
