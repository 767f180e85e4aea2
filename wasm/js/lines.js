// Data to lines, without a sender.

import { checked, out, started } from './border.js';
import * as calls from './calls.js';
import { optional, options } from './data.js';

// The place of lines that go to no queue.
const TEXT = -1;

const text = (given, call, ...parts) => {
  started();
  checked(call([optional(options(given).defaultSource, 'default source')], ...parts)(TEXT));
  return out();
};

export const metricToLine = (name, value, given) => text(given, calls.metric, name, value, given);
export const histogramToLine = (name, centroids, given) => text(given, calls.histogram, name, centroids, given);
export const spanToLine = (span, given) => text(given, calls.span, span);
export const spanLogsToLine = (span, given) => text(given, calls.span, span, true);
export const eventToLine = (event, given) => text(given, calls.event, event);
