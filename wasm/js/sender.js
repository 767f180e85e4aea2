// The sender: takes data, and carries the lines away. What leaves when, what an answer means and what becomes of each line
// is the core's to say; here are the clock, the timers and the requests.

import * as core from '../dist/parts/core.js';
import { checked, copyOf, setWords, started, wordsOut, write } from './border.js';
import * as calls from './calls.js';
import * as data from './data.js';
import { endpoint } from './endpoint.js';
import { WavefrontError, badOption, ofCode } from './error.js';
import { Known } from './known.js';
import { KINDS, failures, read } from './ledger.js';
import { isOnline, onPage, page } from './page.js';
import { BROKEN, post } from './post.js';

const [METRIC, DELTA, HISTOGRAM, SPAN, , EVENT] = KINDS.keys();

// What went wrong where the core does not call an answer good; of the first two it keeps the lines.
const TROUBLES = [, , 'failed', 'auth', , 'too-large', 'rejected'];
const KEPT = TROUBLES.slice(2, 4);

// Where lines found no room: how the ledger counts them, and as what they are told of.
const FULL = [
  ['queueFull', 'queue-full'],
  ['storeFull', 'store-full'],
];

// How what somebody waits for ends, as the core wants to hear it: nobody does any longer, or the sender was closed.
const [OVER, CLOSED] = [1, 2];

const IN_FLIGHT = 4;
const EVERYTHING = 0xffffffff;

// How long the last lines may take into a store.
const STORING_MS = 2_000;

// What entries have beside, so that the others need not load it. `wasm/build` puts `true` or `false` in the place of these names:
// STORE, a store for lines in the browser; PER_REQUEST, that promises and timers of one request are of no use to another
// (Cloudflare Workers); BROWSER, that it runs nowhere else. And the entry itself says how lines go over TCP, and who keeps a store.
export const runtime = { tcp: undefined, Keeper: undefined };

// Of senders that nobody closed, the core's part.
const forgotten = globalThis.FinalizationRegistry && new FinalizationRegistry((forget) => forget());

export class Sender {
  #pipe;
  #targets;
  #onError;
  #timeoutMs;
  #closing;
  #final;
  #timer;
  #soon = false;
  #seeded = false;
  #failing = false;
  // The ledger up to which lines that found no room were told of, when that was, and whether there are others since.
  #told;
  #toldAt = 0;
  #isUntold = false;
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
    if (!STORE && store !== undefined) throw badOption('store', "left out: 'wavefront-sdk/store' has one");
    const keep = STORE && store !== undefined ? runtime.Keeper.options(store) : undefined;
    const { targets, direct } = endpoint(server, data.optional(token, 'token'), runtime.tcp?.targets);
    const strings = [data.optional(source, 'source')];
    data.pairs(strings, tags, 'tag');
    const queue = data.within(options, 'maxQueueSize', 50_000, 1, 65_535);
    const batch = data.within(options, 'batchSize', 10_000, 1, 10_000_000);
    const interval = data.within(options, 'flushIntervalMs', 5_000, 1, 86_400_000);
    this.#timeoutMs = data.within(options, 'requestTimeoutMs', 30_000, 1, 3_600_000);
    this.#onError = onError;
    // One that is not heard of for longer died with whoever made it.
    const pipe = core.open(write(strings, []), queue, batch, interval, this.#timeoutMs + 5_000, direct);
    this.#pipe = pipe;
    this.#targets = targets;
    this.#told = this.stats();
    if (STORE && keep) {
      this.#keeper = new runtime.Keeper(pipe, keep, {
        changed: () => {
          this.#pump();
          this.#wake();
        },
        tell: (code, kind, lines) => {
          if (code === 'store-full') this.#tellFull(0);
          else this.#tell(code, kind, lines);
        },
      });
      this.#soonPump();
    }
    forgotten?.register(this, () => core.forget(pipe), this);
    this.#detach = onPage((leaving, gone) => this.#turn(leaving, gone));
  }

  sendMetric(...parts) {
    return this.#send(METRIC, calls.metric, parts);
  }

  sendDeltaCounter(...parts) {
    return this.#send(DELTA, calls.delta, parts);
  }

  sendDistribution(...parts) {
    return this.#send(HISTOGRAM, calls.histogram, parts);
  }

  sendSpan(span) {
    return this.#send(SPAN, calls.span, [span]);
  }

  sendEvent(event) {
    return this.#send(EVENT, calls.event, [event]);
  }

  sendMetricNow(...parts) {
    return this.#now(METRIC, calls.metric, parts);
  }

  sendDistributionNow(...parts) {
    return this.#now(HISTOGRAM, calls.histogram, parts);
  }

  sendSpanNow(span) {
    return this.#now(SPAN, calls.span, [span]);
  }

  prepare(name, source, tags) {
    const call = calls.series([''], name, source, tags);
    const pipe = this.#open();
    const series = checked(call(pipe));
    return new Series(
      (value, at) => this.#sent(core.value(this.#open(), series, value, at)),
      () => core.forget_series(pipe, series),
    );
  }

  async flush(given) {
    const options = data.options(given);
    const { signal } = options;
    const limit = patience(options, 10_000);
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
      const limit = patience(data.options(given), 5_000);
      return (this.#closing ??= this.#close(limit));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #close(limit) {
    const before = failures(this.stats());
    core.begin_close(this.#pipe);
    await this.#until(() => core.begin_close(this.#pipe), Date.now() + limit);
    if (STORE && this.#keeper) {
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
    this.#tellFull(0);
    const { closed } = stats.total.dropped;
    if (closed > 0) this.#tell('closed', undefined, closed);
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

  #send(kind, call, parts) {
    return this.#sent(this.#call(kind, call, parts)(this.#open(), this.#known));
  }

  // What a send came to: true is queued, false is lost for want of room.
  #sent(code) {
    const isFull = this.#isFull(code);
    // What is in a full queue need not wait for company.
    if (isFull || checked(code) === 1 || !(this.#soon || this.#timer)) this.#soonPump();
    return !isFull;
  }

  // Sends ahead of the queue, and tells what the first try came to.
  async #now(kind, call, parts) {
    const queue = this.#call(kind, call, parts);
    const pipe = this.#open();
    const tag = core.urgent(pipe);
    const code = queue(pipe);
    try {
      checked(code);
    } finally {
      // Not before: what it says is where the ledger will be.
      this.#isFull(code);
    }
    const read = (over = 0) => {
      const heard = core.heard(pipe, tag, over);
      const [delivered, kept, dropped] = wordsOut(3);
      return { open: heard === 1, all: heard === 2, delivered, kept, dropped, over };
    };
    const { all, over, delivered, kept, dropped } = await this.#watch(read, ({ open }) => !open, 2 * this.#timeoutMs);
    const [why, status] = this.#causes.get(tag) ?? [over === CLOSED ? 'closed' : 'pending'];
    this.#causes.delete(tag);
    if (all) return delivered;
    throw undelivered(why, `${delivered} lines delivered, ${kept} kept, ${dropped} dropped`, kind, status, { delivered, kept, dropped });
  }

  // Whether there was no room, which is told of.
  #isFull(code) {
    const isFull = code === -2 || code === -3;
    if (isFull) this.#tellFull(1000);
    return isFull;
  }

  // Tells of the lines that found no room since, not more often than every so many milliseconds.
  #tellFull(every) {
    const now = Date.now();
    // Whatever happens to the clock.
    this.#isUntold = Math.abs(now - this.#toldAt) < every;
    if (this.#isUntold) return;
    this.#toldAt = now;
    // Who is told of it may send again.
    const before = this.#told;
    const stats = (this.#told = this.stats());
    for (const [kind, name] of KINDS.entries()) {
      for (const [count, code] of FULL) {
        const lines = stats[name].dropped[count] - before[name].dropped[count];
        if (lines > 0) this.#tell(code, kind, lines);
      }
    }
  }

  // After what runs now, so that lines that are sent together leave together.
  #soonPump() {
    // What a request does not wait for is lost with it: there, only flushes send.
    if (this.#soon || PER_REQUEST) return;
    this.#soon = true;
    queueMicrotask(() => {
      this.#soon = false;
      this.#pump();
    });
  }

  // Sends what is due, and sets the timer for the next time. Returns what is under way because of that.
  #pump(most = IN_FLIGHT, leaving = false, gone = false) {
    this.#clear();
    if (this.#final) return [];
    if (this.#isUntold) this.#tellFull(leaving ? 0 : 1000);
    const keeper = STORE && this.#keeper;
    if (keeper && !leaving) keeper.pump();
    this.#seed();
    const posts = [];
    for (let beacon = false; ; ) {
      // With a store, a batch goes whole or not at all.
      if (keeper && leaving && page.room < keeper.constructor.BATCH) return posts;
      const room = leaving && !keeper && !beacon ? page.room : EVERYTHING;
      const wait = isOnline() === false ? -1 : core.due(this.#pipe, Date.now(), most, room);
      if (wait === -2) {
        const [number, kind, lines, at, length] = wordsOut(5);
        posts.push(this.#post(number, { kind, lines, body: copyOf(at, length), leaving, beacon }));
        if (beacon && page.refused) return posts;
      } else if (gone && !beacon && this.#mayBeacon()) {
        beacon = true;
      } else {
        // What is to be told of is, soon.
        this.#later(this.#isUntold ? Math.min(wait >>> 0, 1000) : wait);
        return posts;
      }
    }
  }

  // Whether what has no room may go without an answer: not where it can wait in a store, nor where it needs a token.
  #mayBeacon() {
    return !page.refused && !(STORE && this.#keeper) && navigator.sendBeacon && !this.#targets.some(({ token }) => token);
  }

  // `request` is noted here while it is under way: `sent` and `outlives` say how far it is, and `dropped` that its outcome does
  // not matter any more.
  async #post(number, request) {
    const { kind, lines } = request;
    this.#under.set(number, request);
    const target = this.#targets[kind];
    const carry = target.url ? post : runtime.tcp.send;
    const [failure, status = 0, after = -1] = await carry(target, request, this.#timeoutMs);
    // Another one has taken its place, or the batch is back in the queue.
    if (request.dropped) return;
    this.#under.delete(number);
    if (this.#final) return;
    const trouble = TROUBLES[core.answer(this.#pipe, number, failure, status, after, Date.now())];
    const [settled, , tag] = wordsOut(3);
    this.#failing = KEPT.includes(trouble);
    if (trouble) {
      if (tag && !this.#causes.has(tag)) this.#causes.set(tag, [trouble, status]);
      if (this.#failing) this.#tell(trouble, kind, lines, status, 'kept');
      else this.#tell(trouble, kind, settled, status);
    }
    if (PER_REQUEST) return;
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

  // Pumps after as many ms; -1 is never.
  #later(wait) {
    // A timer's number means another timer in the next request.
    if (PER_REQUEST || wait < 0) return;
    try {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#pump();
      }, Math.min(wait + 1, 0x7fffffff));
      // A receiver that is gone keeps no program from ending; lines that only wait for company do.
      if (!BROWSER && this.#failing) this.#timer?.unref?.();
    } catch {
      // No timers here: whoever sends or flushes next sees to it.
    }
  }

  #clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #wake() {
    if (PER_REQUEST) return;
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
    // What this call started, and has to wait for where nobody else does; it looks more and more rarely.
    const mine = new Set();
    let nap = 5;
    for (;;) {
      const posts = this.#pump();
      if (PER_REQUEST) {
        for (const post of posts) {
          mine.add(post);
          post.then(() => mine.delete(post));
        }
      }
      const left = deadline - Date.now();
      if (done()) {
        // Lines of others may have gone with it, and would go down with this request.
        if (PER_REQUEST && mine.size > 0) await this.#nap(left, signal, [Promise.all(mine)]);
        return;
      }
      signal?.throwIfAborted();
      if (left <= 0) return;
      await (PER_REQUEST ? this.#nap(Math.min(nap, left), signal, mine) : this.#nap(left, signal));
      if (PER_REQUEST) nap = Math.min(nap * 2, 100);
    }
  }

  // Until something was settled, a promise is, the time is over, or the signal says so.
  #nap(ms, signal, promises) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting.add(wake);
      signal?.addEventListener('abort', wake);
      if (PER_REQUEST) for (const promise of promises) promise.then(wake);
    });
  }

  // What a page goes through: it may be gone in a moment, or is back, or has a network again.
  #turn(leaving, gone) {
    if (this.#final) return;
    if (!leaving) {
      page.refused = false;
      if (STORE) this.#keeper?.back();
      this.#pump();
      return;
    }
    if (STORE && gone) this.#keeper?.hasten();
    const stranded = this.#stranded(gone);
    core.begin_flush(this.#pipe);
    if (core.left(this.#pipe) > 0) this.#pump(EVERYTHING, true, gone);
    if (!STORE || !this.#keeper) return;
    // What does not go with the page is back in the queue, and waits for the next visit: whether it arrives, nobody will hear.
    for (const number of stranded) {
      this.#under.get(number).dropped = true;
      this.#under.delete(number);
      core.answer(this.#pipe, number, BROKEN, 0, -1, Date.now());
    }
    this.#keeper.leave();
  }

  // Sends what would end with the page in a way that does not, as far as there is room. The others are what it gives; those
  // that were sent, only where the page is gone for good, as they will be sent twice.
  #stranded(gone) {
    const stranded = [];
    for (const [number, request] of [...this.#under]) {
      if (request.outlives) continue;
      const { kind, lines, body, sent } = request;
      const beacon = body.length > page.room;
      if (sent || (beacon && !(gone && this.#mayBeacon()))) {
        if (STORE && (gone || !sent)) stranded.push(number);
      } else {
        request.dropped = true;
        this.#post(number, { kind, lines, body, leaving: true, beacon });
      }
    }
    return stranded;
  }

  #tell(code, kind, lines, status, fate = 'dropped') {
    if (!this.#onError) return;
    try {
      const told = this.#onError(undelivered(code, `${lines} lines ${fate}`, kind, status, { lines, fate }));
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

const patience = (options, usual) => data.within(options, 'timeoutMs', usual, 0, 3_600_000);

// What is told of lines that were not delivered.
function undelivered(code, counts, kind, status, details) {
  const why = `${code === 'auth' ? 'the token is refused' : code}${status ? ` (the receiver answered ${status})` : ''}`;
  return new WavefrontError(code, `${why}: ${counts}`, { kind: KINDS[kind], ...details, ...(status && { status }) });
}
