// What callers give, as lists of strings and numbers. Everything is read here, once: getters and iterators of the caller's
// may do what they like.

import { badOption, malformed } from './error.js';

export const string = (value, field) => {
  if (typeof value !== 'string') throw malformed(field, 'a string');
  return value;
};

// None is the empty string.
export const optional = (value, field) => (value === undefined || value === null ? '' : string(value, field));

// What is no number is NaN, which the core refuses by name.
export const number = (value) => (typeof value === 'number' ? value : NaN);

// A time as the core wants it: -1 is none.
export function time(value) {
  if (value === undefined || value === null) return -1;
  const at = value instanceof Date ? value.getTime() : number(value);
  return at < 0 ? -2 : at;
}

export const object = (value, field) => {
  if (typeof value !== 'object' || value === null) throw malformed(field, 'an object');
  return value;
};

export const list = (value, field) => {
  if (value === undefined || value === null) return [];
  if (typeof value === 'string' || typeof value[Symbol.iterator] !== 'function') throw malformed(field, 'a list');
  return [...value];
};

// Pairs of an object, a map or a list of pairs, put behind `strings`; how many.
export function pairs(strings, given, field) {
  if (given === undefined || given === null) return 0;
  const before = strings.length;
  if (typeof object(given, field)[Symbol.iterator] === 'function') {
    for (const pair of given) {
      const [key, value] = list(pair, field);
      strings.push(string(key, `${field} key`), string(value, `${field} value`));
    }
  } else {
    for (const key of Object.keys(given)) strings.push(key, string(given[key], `${field} value`));
  }
  return (strings.length - before) / 2;
}

// The strings of a list, put behind `strings`; how many.
function texts(strings, given, field) {
  const found = list(given, field);
  for (const text of found) strings.push(string(text, field));
  return found.length;
}

const GRANULARITIES = ['minute', 'hour', 'day'];

// As bits, in that order.
export function granularities(given = ['minute']) {
  let bits = 0;
  for (const name of list(given, 'granularities')) {
    const bit = GRANULARITIES.indexOf(name);
    if (bit < 0) throw malformed('granularity', "'minute', 'hour' or 'day'");
    bits |= 1 << bit;
  }
  return bits;
}

export function centroids(given) {
  const figures = [];
  for (const pair of list(given, 'centroids')) {
    const [mean, count] = list(pair, 'centroid');
    const samples = number(count);
    // -1 would mean none.
    figures.push(number(mean), samples < 0 ? -2 : samples);
  }
  return figures;
}

// The strings and numbers of a span.
export function span(strings, given) {
  const { name, startMillis, durationMillis, source, traceId, spanId, parents, followsFrom, tags, logs } = object(given, 'span');
  strings.push(string(name, 'span name'), optional(source, 'source'), string(traceId, 'trace id'), string(spanId, 'span id'));
  const figures = [time(startMillis), time(durationMillis)];
  figures.push(texts(strings, parents, 'parent'), texts(strings, followsFrom, 'follows-from'));
  for (const log of list(logs, 'span logs')) {
    const { timestamp, fields } = object(log, 'span log');
    figures.push(time(timestamp), pairs(strings, fields, 'span log'));
  }
  pairs(strings, tags, 'span tag');
  return figures;
}

// The strings and numbers of an event: start, end, how many tags.
export function event(strings, given) {
  const { name, startMillis, endMillis, source, tags, annotations } = object(given, 'event');
  strings.push(string(name, 'event name'), optional(source, 'source'));
  const count = texts(strings, tags, 'event tag');
  pairs(strings, annotations, 'annotation');
  return [time(startMillis), time(endMillis), count];
}

export const options = (given) => object(given ?? {}, 'options');

// The number of that name in options.
export function within(options, name, usual, least, most) {
  const value = options[name] ?? usual;
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw badOption(name, `a number from ${least} to ${most}`);
}
