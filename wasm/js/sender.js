// The sender: takes data, and carries the lines away. What leaves when, what an answer means and what becomes of each line
// is the core's to say; here are the clock, the timers and the requests.

import { checked, copyOf, core, out, setWords, started, wordsOut, write } from './border.js';
import * as calls from './calls.js';
import * as data from './data.js';
import { endpoint } from './endpoint.js';
import { WavefrontError, badOption, ofCode } from './error.js';
import { Known } from './known.js';
import { KINDS, failures, read } from './ledger.js';
import { beacons, onPage, room } from './page.js';
import { BROKEN, post } from './post.js';

const [METRIC, DELTA, HISTOGRAM, SPAN, , EVENT] = KINDS.keys();

// What the core says of an answer.
const [, , KEPT, AUTH, , TOO_LARGE, REJECTED] = Array(7).keys();
const TROUBLES = { [KEPT]: 'failed', [AUTH]: 'auth', [TOO_LARGE]: 'too-large', [REJECTED]: 'rejected' };

// How what somebody waits for ends, as the core wants to hear it: nobody does any longer, or the sender was closed.
const [OVER, CLOSED] = [1, 2];

const IN_FLIGHT = 4;
const EVERYTHING = 0xffffffff;

// How long the last lines may take into a store.
const STORING_MS = 2_000;

// Told by the entry: whether promises and timers of one request are of no use to another (Cloudflare Workers), and how
// lines go over TCP and who keeps a store, where that can be.
export const runtime = { perRequest: false, tcp: undefined, Keeper: undefined };

// Of senders that nobody closed, the core's part.
const forgotten = typeof FinalizationRegistry === 'function' ? new FinalizationRegistry((forget) => forget()) : undefined;

export class Sender {
  #pipe;
  #targets;
  #token;
  #onError;
  #timeoutMs;
  #closing;
  #final;
  #timer;
  #soon = false;
  #seeded = false;
  #failing = false;
  #refused = { since: 0, lines: 0 };
  #waiting = new Set();
  // Of those who wait for something, the functions that read what became of it.
  #watches = new Set();
  // What kept lines that somebody waits for from being delivered, by their tags.
  #causes = new Map();
  // The requests under way, by their numbers.
  #under = new Map();
  #keeper;
  #known = new Known();
  #detach = () => {};

  constructor(given) {
    const options = data.options(given);
    started();
    const { server, token, source, tags, onError, store } = options;
    if (typeof server !== 'string') throw badOption('server', 'a URL');
    if (onError !== undefined && typeof onError !== 'function') throw badOption('onError', 'a function');
    if (store !== undefined && !runtime.Keeper) throw badOption('store', "left out: 'wavefront-sdk/store' has one");
    const keep = store === undefined ? undefined : runtime.Keeper.options(store);
    const { targets, direct } = endpoint(server, data.optional(token, 'token'), runtime.tcp);
    const strings = [data.optional(source, 'source')];
    data.pairs(strings, tags, 'tag');
    const queue = within(options, 'maxQueueSize', 50_000, 1, 65_535);
    const batch = within(options, 'batchSize', 10_000, 1, 10_000_000);
    const interval = within(options, 'flushIntervalMs', 5_000, 1, 86_400_000);
    this.#timeoutMs = within(options, 'requestTimeoutMs', 30_000, 1, 3_600_000);
    this.#onError = onError;
    // One that is not heard of for longer died with whoever made it.
    const patience = this.#timeoutMs + 5_000;
    const pipe = core.open(write(strings), queue, batch, interval, patience, direct);
    this.#pipe = pipe;
    this.#targets = targets;
    if (keep) {
      this.#keeper = new runtime.Keeper(pipe, keep, {
        changed: () => {
          this.#pump();
          this.#wake();
        },
        tell: (code, kind, lines) => this.#tell(code, kind, lines, 'dropped'),
      });
      this.#soonPump();
    }
    forgotten?.register(this, () => core.forget(pipe), this);
    this.#detach = onPage(this, (event) => this.#turn(event));
  }

  sendMetric(name, value, options) {
    return this.#send(METRIC, calls.metric, name, value, options);
  }

  sendDeltaCounter(name, value, options) {
    return this.#send(DELTA, calls.delta, name, value, options);
  }

  sendDistribution(name, centroids, options) {
    return this.#send(HISTOGRAM, calls.histogram, name, centroids, options);
  }

  sendSpan(span) {
    return this.#send(SPAN, calls.span, span);
  }

  sendEvent(event) {
    return this.#send(EVENT, calls.event, event);
  }

  sendMetricNow(name, value, options) {
    return this.#now(METRIC, calls.metric, name, value, options);
  }

  sendDistributionNow(name, centroids, options) {
    return this.#now(HISTOGRAM, calls.histogram, name, centroids, options);
  }

  sendSpanNow(span) {
    return this.#now(SPAN, calls.span, span);
  }

  prepare(name, source, tags) {
    const call = calls.series([''], name, source, tags);
    const pipe = this.#open();
    const series = checked(call(pipe));
    return new Series(
      (value, at) => this.#sent(METRIC, core.value(this.#open(), series, value, at)),
      () => core.forget_series(pipe, series),
    );
  }

  async flush(given) {
    const { timeoutMs, signal } = data.options(given);
    const limit = within({ timeoutMs }, 'timeoutMs', 10_000, 0, 3_600_000);
    signal?.throwIfAborted();
    if (this.#final) return { complete: true, left: 0, lost: 0 };
    checked(core.begin_flush(this.#pipe));
    const flush = wordsOut(8);
    const read = () => {
      setWords(flush);
      const left = core.left(this.#pipe);
      return { left, lost: wordsOut(1)[0] };
    };
    const { left, lost } = await this.#watch(read, ({ left }) => left === 0, limit, signal);
    return { complete: left === 0 && lost === 0, left, lost };
  }

  close(given) {
    try {
      const { timeoutMs } = data.options(given);
      const limit = within({ timeoutMs }, 'timeoutMs', 5_000, 0, 3_600_000);
      this.#closing ??= this.#close(limit);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#closing;
  }

  async #close(limit) {
    const before = failures(this.stats());
    core.begin_close(this.#pipe);
    await this.#until(() => core.begin_close(this.#pipe), Date.now() + limit);
    if (this.#keeper) {
      // What could not be sent waits there for the next visit.
      await this.#until(() => this.#keeper.last(), Date.now() + STORING_MS);
      this.#keeper.close();
    }
    core.end_close(this.#pipe);
    for (const end of this.#watches) end();
    const stats = read(this.#pipe);
    this.#final = stats;
    this.#detach();
    this.#clear();
    forgotten?.unregister(this);
    core.forget(this.#pipe);
    const lost = failures(stats) - before;
    if (stats.total.dropped.closed > 0) this.#tell('closed', undefined, stats.total.dropped.closed, 'dropped');
    this.#wake();
    return { complete: lost === 0, lost, stats };
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close();
  }

  stats() {
    return this.#final ?? read(this.#pipe);
  }

  failureCount() {
    return failures(this.stats());
  }

  #open() {
    if (this.#closing) throw ofCode(-5, 'the sender is closed');
    return this.#pipe;
  }

  // What the caller gave, as the call that queues it; what is no datum at all is counted.
  #call(kind, call, parts) {
    try {
      return call([''], ...parts);
    } catch (error) {
      if (!this.#closing) core.note_invalid(this.#pipe, kind);
      throw error instanceof WavefrontError ? error : new WavefrontError('invalid', String(error), { cause: error });
    }
  }

  #send(kind, call, ...parts) {
    return this.#sent(kind, this.#call(kind, call, parts)(this.#open(), this.#known));
  }

  // What a send came to: true is queued, false is lost for want of room.
  #sent(kind, code) {
    if (this.#isFull(kind, code)) return false;
    if (checked(code) === 1 || !(this.#soon || this.#timer)) this.#soonPump();
    return true;
  }

  // Sends ahead of the queue, and tells what the first try came to.
  async #now(kind, call, ...parts) {
    const queue = this.#call(kind, call, parts);
    const pipe = this.#open();
    const tag = core.urgent(pipe);
    const code = queue(pipe);
    this.#isFull(kind, code);
    checked(code);
    const read = (over = 0) => {
      const heard = core.heard(pipe, tag, over);
      const [delivered, kept, dropped] = wordsOut(3);
      return { open: heard === 1, all: heard === 2, delivered, kept, dropped, over };
    };
    const { all, over, ...heard } = await this.#watch(read, ({ open }) => !open, 2 * this.#timeoutMs);
    const { code: why, status } = this.#causes.get(tag) ?? { code: over === CLOSED ? 'closed' : 'pending' };
    this.#causes.delete(tag);
    if (all) return heard.delivered;
    const { delivered, kept, dropped } = heard;
    const details = { kind: KINDS[kind], delivered, kept, dropped, ...(status ? { status } : {}) };
    const counts = `${delivered} lines delivered, ${kept} kept, ${dropped} lost`;
    throw new WavefrontError(why, `${status ? `the receiver answered ${status}` : why}: ${counts}`, details);
  }

  #isFull(kind, code) {
    const full = code === -2 || code === -3;
    if (full) this.#full(kind);
    return full;
  }

  // A full queue is told of once a second, with a count.
  #full(kind) {
    const now = Date.now();
    this.#refused.lines++;
    if (now - this.#refused.since < 1000) return;
    const { lines } = this.#refused;
    this.#refused = { since: now, lines: 0 };
    this.#tell('queue-full', kind, lines, 'dropped');
  }

  // After what runs now, so that lines that are sent together leave together.
  #soonPump() {
    // What a request does not wait for is lost with it: there, only flushes send.
    if (this.#soon || runtime.perRequest) return;
    this.#soon = true;
    Promise.resolve().then(() => {
      this.#soon = false;
      this.#pump();
    });
  }

  // Sends what is due, and sets the timer for the next time. Returns what is under way because of that.
  #pump(most = IN_FLIGHT, leaving = false, gone = false) {
    this.#clear();
    if (this.#final) return [];
    if (!leaving) this.#keeper?.pump();
    if (!isOnline()) return [];
    this.#seed();
    const posts = [];
    for (let beacon = false; ; ) {
      // With a store, a batch goes whole or not at all.
      if (leaving && this.#keeper && room.left < this.#keeper.constructor.BATCH) return posts;
      const wait = core.due(this.#pipe, Date.now(), most, leaving && !this.#keeper && !beacon ? room.left : EVERYTHING);
      if (wait === -2) {
        const [number, kind, lines, at, length] = wordsOut(5);
        posts.push(this.#post(number, kind, lines, copyOf(at, length), leaving, beacon));
        if (beacon && beacons.refused) return posts;
      } else if (gone && !beacon && this.#mayBeacon()) {
        beacon = true;
      } else {
        if (wait >= 0) this.#later(wait);
        return posts;
      }
    }
  }

  // Whether what has no room may go without an answer: not where it can wait in a store, nor where it needs a token.
  #mayBeacon() {
    if (beacons.refused || this.#keeper || typeof navigator.sendBeacon !== 'function') return false;
    return !this.#targets.some(({ token }) => token);
  }

  async #post(number, kind, lines, body, leaving, beacon) {
    const stage = { outlives: false, dropped: false };
    this.#under.set(number, { kind, lines, body, stage });
    const target = this.#targets[kind];
    const carry = target.url ? post : runtime.tcp;
    const { failure, status, after } = await carry(target, body, { leaving, beacon, stage, timeoutMs: this.#timeoutMs });
    // Another one has taken its place, or the batch is back in the queue.
    if (stage.dropped) return;
    this.#under.delete(number);
    if (this.#final) return;
    const fate = core.answer(this.#pipe, number, failure, status, after, Date.now());
    const [settled, , tag] = wordsOut(3);
    this.#failing = fate === KEPT || fate === AUTH;
    const trouble = TROUBLES[fate];
    if (trouble && tag && !this.#causes.has(tag)) this.#causes.set(tag, { code: trouble, status });
    if (trouble) this.#tell(trouble, kind, this.#failing ? lines : settled, this.#failing ? 'kept' : 'dropped', status);
    if (runtime.perRequest) return;
    this.#pump();
    this.#wake();
  }

  // Only once there is randomness: not in the global scope of a worker.
  #seed() {
    if (this.#seeded) return;
    try {
      core.seed(this.#pipe, Math.random() * 2 ** 32);
      this.#seeded = true;
    } catch {
      // The next time, then.
    }
  }

  #later(wait) {
    // A timer's number means another timer in the next request.
    if (runtime.perRequest) return;
    try {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#pump();
      }, Math.min(wait + 1, 0x7fffffff));
      // A receiver that is gone keeps no program from ending; lines that only wait for company do.
      if (this.#failing) this.#timer?.unref?.();
    } catch {
      // No timers here: whoever sends or flushes next sees to it.
    }
  }

  #clear() {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wake() {
    if (runtime.perRequest) return;
    for (const wake of this.#waiting) wake();
  }

  // Pumps until what `read` says is `done`, for `limit` ms at most. What it says at the end; a close ends it all, and then that
  // is before the core forgets the sender.
  async #watch(read, done, limit, signal) {
    let last;
    const end = () => (last = read(CLOSED));
    this.#watches.add(end);
    try {
      await this.#until(() => last || done(read()), Date.now() + limit, signal);
      return last ?? read(OVER);
    } finally {
      this.#watches.delete(end);
    }
  }

  // Pumps until `done`, at most to the deadline.
  async #until(done, deadline, signal) {
    // What this call started, and has to wait for where nobody else does.
    const mine = new Set();
    for (let nap = 5; ; nap = Math.min(nap * 2, 100)) {
      for (const post of this.#pump()) {
        mine.add(post);
        post.then(() => mine.delete(post));
      }
      const left = deadline - Date.now();
      if (done()) {
        // Lines of others may have gone with it, and would go down with this request.
        if (runtime.perRequest && mine.size > 0) await this.#nap(left, [Promise.all(mine)], signal);
        return;
      }
      signal?.throwIfAborted();
      if (left <= 0) return;
      await this.#nap(runtime.perRequest ? Math.min(nap, left) : left, runtime.perRequest ? [...mine] : [], signal);
    }
  }

  // Until something was settled, a promise is, the time is over, or the signal says so.
  #nap(ms, promises, signal) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(ms, 0x7fffffff));
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake);
      if (promises.length) Promise.race(promises).then(wake);
    });
  }

  // What a page goes through: it may be gone in a moment, or is back, or has a network again.
  #turn({ leaving, gone }) {
    if (this.#final) return;
    if (!leaving) {
      beacons.refused = false;
      this.#keeper?.back();
      this.#pump();
      return;
    }
    if (gone) this.#keeper?.hasten();
    const stranded = this.#stranded(gone);
    core.begin_flush(this.#pipe);
    if (core.left(this.#pipe) > 0) this.#pump(EVERYTHING, true, gone);
    if (!this.#keeper) return;
    // What does not go with the page waits for the next visit.
    for (const number of stranded) this.#drop(number);
    this.#keeper.leave();
  }

  // Sends what would end with the page in a way that does not, as far as there is room. The others are what it gives; those
  // that were sent, only where the page is gone for good, as they will be sent twice.
  #stranded(gone) {
    const stranded = [];
    for (const [number, { kind, lines, body, stage }] of [...this.#under]) {
      if (stage.outlives) continue;
      const beacon = body.length > room.left;
      if (stage.sent || (beacon && !(gone && this.#mayBeacon()))) {
        if (gone || !stage.sent) stranded.push(number);
      } else {
        stage.dropped = true;
        this.#post(number, kind, lines, body, true, beacon);
      }
    }
    return stranded;
  }

  // Puts the batch of a request back into the queue: whether it arrives, nobody will hear.
  #drop(number) {
    this.#under.get(number).stage.dropped = true;
    this.#under.delete(number);
    core.answer(this.#pipe, number, BROKEN, 0, -1, Date.now());
  }

  #tell(code, kind, lines, fate, status) {
    if (!this.#onError) return;
    const details = { kind: KINDS[kind], lines, fate, ...(status ? { status } : {}) };
    try {
      const told = this.#onError(new WavefrontError(code, inWords(code, details), details));
      told?.then?.(undefined, () => {});
    } catch {
      // What the application does with it is no business of ours.
    }
  }
}

// A metric of which all but the number is encoded.
class Series {
  #send;

  constructor(send, forget) {
    this.#send = send;
    forgotten?.register(this, forget);
  }

  send(value, timestamp) {
    return this.#send(data.number(value), data.time(timestamp));
  }
}

export function within(options, name, usual, least, most) {
  const value = options[name] ?? usual;
  if (!(typeof value === 'number' && value >= least && value <= most)) throw badOption(name, `a number from ${least} to ${most}`);
  return value;
}

// Where that is known: a page, or a worker of one.
const isOnline = () => typeof navigator === 'undefined' || navigator.onLine !== false;

function inWords(code, { kind, lines, status }) {
  const what = `${lines} ${kind ?? ''} lines`.replace('  ', ' ');
  switch (code) {
    case 'failed':
      return status ? `the receiver answered ${status}: ${what} are sent again` : `no answer: ${what} are sent again`;
    case 'auth':
      return `the receiver refuses the token (${status}): ${what} wait`;
    case 'rejected':
      return status ? `the receiver refuses ${what} (${status})` : `this endpoint takes no such lines: ${what} are lost`;
    case 'too-large':
      return `the receiver finds a line too large: ${what} are lost`;
    case 'queue-full':
      return `the queue is full: ${what} are lost`;
    case 'closed':
      return `the sender was closed: ${what} are lost`;
    default:
      return `the store: ${code}: ${what} are lost`;
  }
}
