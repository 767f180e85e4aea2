// Each datum as a call of the core. All that the caller gave is read here, behind the strings that are there already; the
// function that this gives makes the call, for a sender or for the text. Of a metric that a sender knows, only the value is.

import * as core from '../dist/parts/core.js';
import { write } from './border.js';
import * as data from './data.js';

export function metric(strings, name, value, given) {
  const { timestamp } = head(strings, 'metric name', name, given);
  const [figure, at] = [data.number(value), data.time(timestamp)];
  return (place, known) => {
    const series = known ? known.find(place, strings) : -1;
    return series < 0 ? core.metric(place, write(strings), figure, at) : core.value(place, series, figure, at);
  };
}

export function delta(strings, name, value, given) {
  head(strings, 'metric name', name, given);
  const figure = data.number(value);
  return (place) => core.delta(place, write(strings), figure);
}

export function histogram(strings, name, centroids, given) {
  const { granularities, timestamp } = head(strings, 'histogram name', name, given);
  const [figures, bits, at] = [data.centroids(centroids), data.granularities(granularities), data.time(timestamp)];
  return (place) => core.histogram(place, write(strings, figures), figures.length, bits, at);
}

// The line of a span, and in a sender that of its logs; or, of the text, only that of its logs.
export function span(strings, given, logs = false) {
  const figures = data.span(strings, given);
  return (place) => core.span(place, write(strings, figures), figures.length, logs);
}

export function event(strings, given) {
  const figures = data.event(strings, given);
  return (place) => core.event(place, write(strings), ...figures);
}

export function series(strings, name, source, tags) {
  head(strings, 'metric name', name, { source, tags });
  return (place) => core.prepare(place, write(strings));
}

// Name, source and tags; gives the options, for what else there is in them.
function head(strings, field, name, given) {
  const options = data.options(given);
  const { source, tags } = options;
  strings.push(data.string(name, field), data.optional(source, 'source'));
  data.pairs(strings, tags, 'tag');
  return options;
}
