// Records in a database of the browser: the four things that the core asks of a store, and no more. Which record goes in or out
// when, and what a failure means, is the core's to say.
//
// A database has one user at a time, who holds a lock of the browser's; it falls when the page goes, whatever way.

// What came of it: see `store_reply` of the core.
export const [DONE, NOTHING, FOUND, FULL, DAMAGED, UNAVAILABLE] = Array(6).keys();

const [HEADS, LINES] = ['heads', 'lines'];

export class Database {
  #name;
  #opening;
  #open;
  #unlock;

  constructor(name) {
    this.#name = `wavefront-sdk/${name}`;
  }

  // Keeps `lines` under kind and key: whole or not at all, and durable once the promise is settled. Where the database is
  // open, the lines are handed to it before this returns.
  put(head, lines) {
    return this.#do('readwrite', (heads, texts) => {
      heads.put({ ...head, sum: checksum(head, lines) }, [head.kind, head.key]);
      texts.put(lines, [head.kind, head.key]);
      return () => ({ reply: DONE });
    });
  }

  // The record of `kind` with the lowest key from `from` on.
  next(kind, from) {
    return this.#do('readonly', (heads) => {
      const found = heads.getAll(IDBKeyRange.bound([kind, from], [kind, 0xffffffff]), 1);
      return () => (found.result.length > 0 ? { reply: FOUND, head: found.result[0] } : { reply: NOTHING });
    });
  }

  // The lines of a record. One that is not what was put is set aside; another one under the same key is none of ours.
  async read(head) {
    const key = [head.kind, head.key];
    const got = await this.#do('readonly', (heads, texts) => {
      const [known, lines] = [heads.get(key), texts.get(key)];
      return () => ({ reply: DONE, known: known.result, lines: lines.result });
    });
    if (got.reply !== DONE) return got;
    const { known, lines } = got;
    if (!known || ['lines', 'bytes', 'born'].some((name) => known[name] !== head[name])) return { reply: DAMAGED };
    if (known.sum === checksum(head, lines) && lines?.length === head.bytes) return { reply: DONE, lines };
    const { reply } = await this.remove(head.kind, head.key);
    return { reply: reply === DONE ? DAMAGED : reply };
  }

  remove(kind, key) {
    return this.#do('readwrite', (heads, texts) => {
      heads.delete([kind, key]);
      texts.delete([kind, key]);
      return () => ({ reply: DONE });
    });
  }

  close() {
    this.#open?.close();
    this.#open = this.#opening = undefined;
    this.#unlock?.();
  }

  // Never rejects. At once where the database is open, else later.
  #do(mode, work) {
    const done = this.#open ? settled(this.#open, mode, work) : this.#opened().then((open) => settled(open, mode, work));
    return done.catch((error) => {
      // The next call tries anew.
      if (error?.name === 'InvalidStateError') this.close();
      return { reply: error?.name === 'QuotaExceededError' ? FULL : UNAVAILABLE };
    });
  }

  #opened() {
    this.#opening ??= this.#lock()
      .then(() => open(this.#name))
      .then((database) => {
        // Deleted by the user, or closed by the browser.
        database.onclose = database.onversionchange = () => this.close();
        return (this.#open = database);
      })
      .catch((error) => {
        this.close();
        throw error;
      });
    return this.#opening;
  }

  #lock() {
    return new Promise((resolve, reject) => {
      const held = new Promise((release) => (this.#unlock = release));
      const granted = (lock) => {
        if (!lock) throw new Error('another page has the store');
        resolve();
        return held;
      };
      navigator.locks.request(this.#name, { ifAvailable: true }, granted).catch(reject);
    });
  }
}

// What a record says, head and lines, as one number (FNV-1a).
function checksum({ kind, key, lines, bytes, born }, text) {
  let sum = 0x811c9dc5;
  const add = (byte) => (sum = Math.imul(sum ^ byte, 0x01000193));
  for (const character of [kind, key, lines, bytes, born].join()) add(character.charCodeAt(0));
  if (text instanceof Uint8Array) for (const byte of text) add(byte);
  return sum >>> 0;
}

function open(name) {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => [HEADS, LINES].forEach((store) => request.result.createObjectStore(store));
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('blocked'));
  });
}

// Does `work` in a transaction of its own; the function that it returns reads what came of it.
function settled(database, mode, work) {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction([HEADS, LINES], mode, { durability: 'strict' });
    const result = work(transaction.objectStore(HEADS), transaction.objectStore(LINES));
    transaction.oncomplete = () => resolve(result());
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
    // Not when the page finds the time.
    transaction.commit?.();
  });
}
