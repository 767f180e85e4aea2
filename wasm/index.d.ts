/// <reference lib="esnext.disposable" />

/**
 * The Wavefront client for pages, edge workers and servers of JavaScript.
 *
 * @packageDocumentation
 */

/** Pairs of a key and a value: an object, a `Map`, or a list of pairs. */
export type Tags = Readonly<Record<string, string>> | Iterable<readonly [string, string]>;

/**
 * A time since 1970: a `Date`, or a whole number of s, ms, µs or ns, which the receiver tells apart by magnitude. Where it is
 * left out, the receiver's clock is used.
 */
export type Timestamp = number | Date;

/** A time in ms since 1970. */
export type Millis = number | Date;

/** What a histogram is summed up over. */
export type Granularity = 'minute' | 'hour' | 'day';

/** A finite mean, and how many samples it stands for: a whole number, at least 1. */
export type Centroid = readonly [mean: number, count: number];

/** The kinds of line: a queue and a row of the ledger each. */
export type Kind = 'metric' | 'delta' | 'histogram' | 'span' | 'spanLogs' | 'event' | 'sourceTag';

/** What a {@link Sender} is made from. */
export interface SenderOptions {
  /**
   * Where lines go: `https://HOST` with a token (direct ingestion), `https://HOST:2878`, `http://HOST:2878` or `proxy://HOST`
   * without (a Wavefront proxy). A path is kept. The token may stand in it: `https://TOKEN@HOST`.
   * With `wavefront-sdk/cloudflare` also `tcp://HOST:2878?traces=30000&histograms=2878` and `tcp+tls://…`, a proxy's lines.
   */
  server: string;
  /** The API token of direct ingestion. In a page it can be read by every visitor: pages talk to a proxy. */
  token?: string;
  /** The source of data that name none. There is no other default: a datum without a source is an error. */
  source?: string;
  /** Tags of every metric, delta counter, histogram and span that does not have that key itself. */
  tags?: Tags;
  /** Lines of one kind that wait or are on their way, at most: up to 65,535, and 8 MiB besides. Default: 50,000. */
  maxQueueSize?: number;
  /** Lines of a batch, at most; a batch has 64,000 bytes at most. Default: 10,000. */
  batchSize?: number;
  /** How long a line waits for its batch to fill, at most. Default: 5,000. */
  flushIntervalMs?: number;
  /** How long a request may take. Default: 30,000. */
  requestTimeoutMs?: number;
  /**
   * Keeps what cannot be sent over the end of the page, in IndexedDB; the next visit delivers it. Only in
   * `wavefront-sdk/store`, for pages and their workers with a secure context. One page at a time has a store: another one
   * sends without it until it can have it. What is under way as the page goes may be sent twice. A batch, and so a line, has
   * 30,000 bytes at most there.
   */
  store?: StoreOptions;
  /** Is told of everything that goes wrong from then on. What it throws is ignored. */
  onError?: (incident: Incident) => void;
}

/** What is stored, and how much of it. */
export interface StoreOptions {
  /** Which store; pages with the same name share one. Default: `'lines'`. */
  name?: string;
  /**
   * `'overflow'`, the default: lines are stored when they cannot be sent, and when the page goes. `'always'`: before they are
   * sent, so that they outlive a crash of the browser too; what was under way then is sent twice.
   */
  mode?: 'overflow' | 'always';
  /** Bytes of lines, at most; what does not fit is refused. Default: 64 MiB. */
  maxBytes?: number;
  /** Lines that are older are dropped. Default: 7 days. */
  maxAgeMs?: number;
}

/** What a metric may say beside name and value. */
export interface MetricOptions {
  timestamp?: Timestamp;
  source?: string;
  tags?: Tags;
}

/** What a delta counter may say beside name and value. */
export interface DeltaCounterOptions {
  source?: string;
  tags?: Tags;
}

/** What a distribution may say beside name and centroids. */
export interface DistributionOptions extends MetricOptions {
  /** At least one. Default: `['minute']`. */
  granularities?: Iterable<Granularity>;
}

/** One record of a span's logs. */
export interface SpanLog {
  /** In µs since 1970. */
  timestamp: number;
  /** Strings only. */
  fields: Tags;
}

/** An operation of a trace. */
export interface Span {
  name: string;
  startMillis: Millis;
  durationMillis: number;
  /** A UUID. */
  traceId: string;
  /** A UUID. */
  spanId: string;
  source?: string;
  /** The spans that caused it and wait for it. */
  parents?: Iterable<string>;
  /** The spans that caused it and do not wait. */
  followsFrom?: Iterable<string>;
  /** Keys may be repeated, in a list of pairs. */
  tags?: Tags;
  /** What happened during it; sent as a line of its own. */
  logs?: Iterable<SpanLog>;
}

/** Something that happened. */
export interface Event {
  name: string;
  startMillis: Millis;
  /** 1 ms after the start where it is left out. */
  endMillis?: Millis;
  source?: string;
  tags?: Iterable<string>;
  /** Details; the service shows `severity`, `type` and `details`. */
  annotations?: Tags;
}

/** What a flush came to. */
export interface FlushReport {
  /** Everything from before the flush was delivered. */
  complete: boolean;
  /** Lines from before the flush that still wait. */
  left: number;
  /** Lines that were dropped while it lasted. */
  lost: number;
}

/** What a close came to. */
export interface CloseReport {
  /** Nothing was lost by it. */
  complete: boolean;
  /** Lines that were dropped while it lasted, those that the time did not suffice for among them. */
  lost: number;
  /** The last state of the ledger. */
  stats: Stats;
}

/** Lost lines, by reason. */
export interface Dropped {
  /** The queue had no room. */
  queueFull: number;
  /** The receiver refused them for good. */
  rejected: number;
  /** A single line that the receiver finds too large. */
  tooLarge: number;
  /** Longer in a store than they may be. */
  expired: number;
  /** Neither the queue nor the store had room. */
  storeFull: number;
  /** The store could not read them back. */
  damaged: number;
  /** Not delivered by the end of `close`. */
  closed: number;
}

/**
 * What became of the lines of one kind. At every instant
 * `accepted + recovered = delivered + doubtful + dropped + queued + inFlight + written + stored`.
 */
export interface Row {
  /** Taken over from the caller, whatever became of them. */
  accepted: number;
  /** Found in a store at the start. */
  recovered: number;
  /** The receiver said that it has them. */
  delivered: number;
  /** They may have arrived, and are not sent again: written and not taken for delivered by the end of `close`. */
  doubtful: number;
  /** Lost, by reason. */
  dropped: Dropped;
  /** Waiting. */
  queued: number;
  /** In a request. */
  inFlight: number;
  /** Gone with a beacon as the page was left, which nobody answers; taken for delivered after a while. */
  written: number;
  /** Only in a store. */
  stored: number;
  /** Refused as invalid: never accepted. */
  invalid: number;
  /** Delta counters of zero, which have nothing to say: never accepted. */
  skipped: number;
  /** Sent again although the receiver may have them already. Counts every time. */
  resent: number;
}

/** What became of every line. */
export type Stats = Readonly<Record<Kind | 'total', Row>>;

/**
 * What went wrong.
 *
 * Thrown, the caller is to blame:
 * - `invalid`: the datum cannot be said in a line that the receiver takes; `field` and `problem` say why. It is counted.
 * - `too-large`: its line is larger than a batch may be.
 * - `unsupported`: the endpoint takes no such lines.
 * - `closed`: the sender was closed.
 * - `endpoint`, `option`: what the sender was to be made from.
 * - `not-started`: `init()` was not called, or not waited for (`wavefront-sdk/web` and `/slim`).
 *
 * From a `send…Now` also `queue-full` and `store-full`, `pending` ({@link Undelivered}), and what `onError` is told.
 *
 * Told to `onError`, with `kind`, `lines` and `fate`:
 * - `failed`: no answer, or one that asks to come back; `auth`: the token is refused. The lines are kept.
 * - `rejected`, `too-large`: the receiver refuses them for good; `queue-full`, `store-full`: there was no room; `expired`,
 *   `damaged`: too old, or not to be read back from the store; `closed`: not delivered by the end of `close`. The lines are
 *   lost.
 */
export type ErrorCode =
  | 'invalid'
  | 'too-large'
  | 'unsupported'
  | 'closed'
  | 'endpoint'
  | 'option'
  | 'not-started'
  | 'pending'
  | 'failed'
  | 'auth'
  | 'rejected'
  | 'queue-full'
  | 'store-full'
  | 'expired'
  | 'damaged';

/** What is wrong with a field. */
export type Problem =
  | 'blank'
  | 'prefix-only'
  | 'too-long'
  | 'too-many'
  | 'missing'
  | 'not-finite'
  | 'negative'
  | 'zero'
  | 'too-large'
  | 'malformed'
  | 'reserved-key'
  | 'repeated-key';

/** An error of this package. Neither message nor fields carry a token or data. */
export class WavefrontError extends Error {
  private constructor();
  readonly name: 'WavefrontError';
  readonly code: ErrorCode;
  /** Of `invalid`: the field in plain words; of `option`: the option's name. */
  readonly field?: string;
  /** Of `invalid`. */
  readonly problem?: Problem;
}

/** What {@link SenderOptions.onError} is told. Each lost line is in the `lines` of one incident; kept ones come again. */
export interface Incident extends WavefrontError {
  /** The kind of the lines, if it is one. */
  readonly kind?: Kind;
  readonly lines: number;
  readonly fate: 'kept' | 'dropped';
  /** What the receiver answered, if it did. */
  readonly status?: number;
}

/** Why a `send…Now` did not deliver everything: a code of {@link Incident}, or `pending` where there was no outcome in time. */
export interface Undelivered extends WavefrontError {
  readonly kind: Kind;
  /** Lines that were delivered. */
  readonly delivered: number;
  /** Lines that are sent again. */
  readonly kept: number;
  /** Lines that are lost. */
  readonly dropped: number;
  /** What the receiver answered, if it did. */
  readonly status?: number;
}

/** A metric of which all but value and time is encoded: sent often, it costs little. */
export interface Series {
  /**
   * Queues a value. As {@link Sender.sendMetric}.
   *
   * @throws WavefrontError
   */
  send(value: number, timestamp?: Timestamp): boolean;
}

/**
 * A client of one endpoint.
 *
 * What is sent is encoded and queued at once, and leaves in batches; a failed batch is sent again. What became of each line is
 * in {@link Sender.stats}. Making one connects to nothing, and uses no timer, no clock and no randomness, so that it may be
 * done in the global scope of a worker.
 *
 * Every `send…` returns `true` where the lines are queued, and `false` where the queue is full: they are lost and counted, and
 * `onError` is told. It throws a {@link WavefrontError} where the caller is to blame.
 *
 * ```js
 * const sender = new Sender({ server: 'https://proxy.example.com:2878', source: 'web-1' });
 * sender.sendMetric('new-york.power.usage', 42422, { tags: { datacenter: 'dc1' } });
 * await sender.close();
 * ```
 */
export class Sender implements AsyncDisposable {
  /** @throws WavefrontError `endpoint` or `option`: it cannot be made from that. */
  constructor(options: SenderOptions);

  /** Queues a point of a metric. A name that begins with ∆ is a delta counter's. */
  sendMetric(name: string, value: number, options?: MetricOptions): boolean;

  /** Queues an increment, above zero, of a counter that the service adds up. Zero is nothing to send. */
  sendDeltaCounter(name: string, value: number, options?: DeltaCounterOptions): boolean;

  /** Queues a histogram distribution: one line a granularity. */
  sendDistribution(name: string, centroids: Iterable<Centroid>, options?: DistributionOptions): boolean;

  /** Queues a span, and its logs. */
  sendSpan(span: Span): boolean;

  /** Queues an event. */
  sendEvent(event: Event): boolean;

  /**
   * Sends a point of a metric ahead of the queue, in a request of its own, and waits for what its first try comes to: the number
   * of lines that were delivered.
   *
   * @throws WavefrontError where the caller is to blame; `queue-full` or `store-full` where there is no room.
   * @throws Undelivered where not everything was delivered. What was kept is sent again, as {@link stats} says then.
   */
  sendMetricNow(name: string, value: number, options?: MetricOptions): Promise<number>;

  /** Sends a histogram distribution as {@link sendMetricNow} does a metric. */
  sendDistributionNow(name: string, centroids: Iterable<Centroid>, options?: DistributionOptions): Promise<number>;

  /** Sends a span as {@link sendMetricNow} does a metric; its logs in a request of theirs. */
  sendSpanNow(span: Span): Promise<number>;

  /** Prepares a metric that is sent often; the sender's own tags are added now. */
  prepare(name: string, source?: string, tags?: Tags): Series;

  /**
   * Sends everything that is queued, without waiting for full batches, and waits until it is settled, at most `timeoutMs`
   * (default: 10,000). What is left then stays queued. In a worker, hand the promise to `waitUntil`.
   *
   * @throws the signal's reason, once it is aborted.
   */
  flush(options?: { timeoutMs?: number; signal?: AbortSignal }): Promise<FlushReport>;

  /**
   * Takes no more lines, and sends those that are there, for at most `timeoutMs` (default: 5,000). What is left then is lost,
   * and counted. The second call returns the promise of the first.
   */
  close(options?: { timeoutMs?: number }): Promise<CloseReport>;

  /** Closes it: `await using sender = new Sender(…)`. */
  [Symbol.asyncDispose](): Promise<void>;

  /** What became of every line so far. */
  stats(): Stats;

  /** Lines that failed: dropped, doubtful and invalid. */
  failureCount(): number;
}

/** What stands in for a source where the datum has none. */
export interface LineOptions {
  defaultSource?: string;
}

/**
 * The line of a metric, with its LF; empty for a delta of zero.
 *
 * @throws WavefrontError `invalid`
 */
export function metricToLine(name: string, value: number, options?: MetricOptions & LineOptions): string;

/**
 * The lines of a distribution, one a granularity, each with its LF.
 *
 * @throws WavefrontError `invalid`
 */
export function histogramToLine(name: string, centroids: Iterable<Centroid>, options?: DistributionOptions & LineOptions): string;

/**
 * The line of a span, with its LF.
 *
 * @throws WavefrontError `invalid`
 */
export function spanToLine(span: Span, options?: LineOptions): string;

/**
 * The line of a span's logs, with its LF; empty where it has none.
 *
 * @throws WavefrontError `invalid`
 */
export function spanLogsToLine(span: Span, options?: LineOptions): string;

/**
 * The line of an event, with its LF.
 *
 * @throws WavefrontError `invalid`
 */
export function eventToLine(event: Event, options?: LineOptions): string;

/** Here there is nothing to wait for. */
export default function init(): Promise<void>;
