// Between the core and the database: does what the core asks for its store, one thing at a time.

import * as core from '../dist/parts/core.js';
import { bytesAt, copyOf, numbersOut, setNumber, setWords, wordsOut } from './border.js';
import { object, within } from './data.js';
import { badOption } from './error.js';
import { DONE, Database, FOUND, UNAVAILABLE } from './indexeddb.js';

const [PUT, NEXT, READ] = Array(3).keys();
const WHY = ['expired', 'store-full', 'damaged'];

export class Keeper {
  // Bytes of a batch, at most: a store takes whole ones, and some of them have to fit into what a page may send as it goes.
  static BATCH = 30_000;

  // What the option `store` says.
  static options(given) {
    const { name = 'lines', mode = 'overflow', ...bounds } = object(given, 'store');
    if (typeof name !== 'string' || name === '') throw badOption('store.name', 'a string');
    if (mode !== 'overflow' && mode !== 'always') throw badOption('store.mode', "'overflow' or 'always'");
    const maxBytes = within(bounds, 'maxBytes', 64 * 2 ** 20, 1, 2 ** 40);
    const maxAgeMs = within(bounds, 'maxAgeMs', 7 * 86_400_000, 1, 2 ** 40);
    return { name, always: mode === 'always', maxBytes, maxAgeMs };
  }

  #pipe;
  #database;
  #tell;
  #changed;
  #timer;
  #always;
  // The number of what the core waits for; an answer to an earlier one comes too late.
  #turn = 0;
  // Whether the core waits for something, and whether that is an answer from the database or only that it is done.
  #waiting = false;
  #asking = false;

  // `changed` is called when there may be more to do, here too; `tell` with what is lost.
  constructor(pipe, { name, always, maxBytes, maxAgeMs }, { changed, tell }) {
    this.#pipe = pipe;
    this.#always = always;
    this.#database = new Database(name);
    this.#changed = changed;
    this.#tell = tell;
    core.store_attach(pipe, always, maxBytes, maxAgeMs);
  }

  // Does the next thing that there is to do, or sees to it that it will be.
  pump() {
    clearTimeout(this.#timer);
    const wait = core.store_due(this.#pipe, Date.now());
    if (wait === -2) {
      this.#begin();
    } else if (wait >= 0) {
      this.#timer = setTimeout(() => this.#changed(), Math.min(wait + 1, 0x7fffffff));
    }
  }

  // The page is gone in a moment, and what the core waits for would come too late. What was handed to the database happens;
  // what was asked of it does not, and lines are sent as if it did not work, as far as they can be.
  hasten() {
    if (!this.#waiting) return;
    this.#turn++;
    this.#settle({ reply: this.#asking ? UNAVAILABLE : DONE });
  }

  // The page may be gone in a moment: hands everything to the database that is to be there. What it then does not keep is
  // counted by who looks for it.
  leave() {
    core.store_mode(this.#pipe, true);
    for (;;) {
      if (this.#waiting && this.#asking) return;
      this.hasten();
      if (core.store_due(this.#pipe, Date.now()) !== -2) return;
      this.#begin();
    }
  }

  // It is still there, or again.
  back() {
    core.store_mode(this.#pipe, this.#always);
  }

  // Everything into the store, sent or not. Whether that is done; if not, it comes to be.
  last() {
    if (core.store_last(this.#pipe)) return true;
    this.pump();
    return false;
  }

  close() {
    clearTimeout(this.#timer);
    this.#turn++;
    this.#database.close();
  }

  #begin() {
    const turn = ++this.#turn;
    this.#waiting = true;
    this.#ask().then((answer) => turn === this.#turn && this.#answer(answer));
  }

  #ask() {
    const [what, kind, key, lines, bytes, at] = wordsOut(6);
    const [born] = numbersOut(1);
    const head = { kind, key, lines, bytes, born };
    this.#asking = what === NEXT || what === READ;
    switch (what) {
      case PUT:
        return this.#database.put(head, copyOf(at, bytes));
      case NEXT:
        return this.#database.next(kind, key);
      case READ:
        return this.#database.read(head).then((answer) => ({ ...answer, at }));
      default:
        return this.#database.remove(kind, key);
    }
  }

  #answer(answer) {
    if (answer.lines && answer.reply === DONE) bytesAt(answer.at, answer.lines.length).set(answer.lines);
    this.#settle(answer);
    this.#changed();
  }

  #settle({ reply, head }) {
    this.#waiting = false;
    if (reply === FOUND) {
      setWords([head.key, head.lines, head.bytes]);
      setNumber(head.born);
    }
    const lost = core.store_reply(this.#pipe, reply, Date.now());
    if (lost > 0) {
      const [kind, why] = wordsOut(2);
      this.#tell(WHY[why], kind, lost);
    }
  }
}
