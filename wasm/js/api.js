// All that an entry offers, whatever way it has to the core.

export { WavefrontError } from './error.js';
export { eventToLine, histogramToLine, metricToLine, spanLogsToLine, spanToLine } from './lines.js';
export { Sender } from './sender.js';
