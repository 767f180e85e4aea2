// The laws that every store has to keep, as the Rust side writes them down, and a runner of them for the database of a page.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { visit } from "./leaving.js";

/** In the page: does the steps of each law to a database, which is empty at first; what each answered that it should not. */
async function play({ laws, texts }) {
  const [DONE, NOTHING, FOUND, , DAMAGED] = Array(5).keys();
  const { Database } = stores;
  const bytes = (text) => Uint8Array.from(text, (character) => character.charCodeAt(0));
  const same = (head, other) => ["kind", "key", "lines", "bytes", "born"].every((name) => head[name] === other[name]);
  const reopened = async (name, before) => {
    before?.close();
    // The lock falls in its own time.
    await navigator.locks.request(`wavefront-sdk/${name}`, () => {});
    return new Database(name);
  };
  const emptied = async (name) => {
    await new Promise((resolve, reject) => {
      const deleting = indexedDB.deleteDatabase(`wavefront-sdk/${name}`);
      deleting.onsuccess = resolve;
      deleting.onerror = () => reject(deleting.error);
    });
    return reopened(name);
  };
  const put = (database, head, text) => database.put(head, bytes(texts[text]));

  const broken = [];
  let steps = 0;
  for (const { law, steps: script } of laws) {
    let database = await emptied("laws");
    for (const [at, step] of script.entries()) {
      let right = true;
      if (step.op === "put") {
        right = (await put(database, step.head, step.text)).reply === DONE;
      } else if (step.op === "next") {
        const { reply, head } = await database.next(step.kind, step.key);
        right = step.found ? reply === FOUND && same(head, step.found) : reply === NOTHING;
      } else if (step.op === "read") {
        const { reply, lines } = await database.read(step.head);
        const text = step.text === null ? null : bytes(texts[step.text]);
        right = text
          ? reply === DONE && lines.length === text.length && lines.every((byte, index) => byte === text[index])
          : reply === DAMAGED;
      } else if (step.op === "remove") {
        right = (await database.remove(step.kind, step.key)).reply === DONE;
      } else {
        database = await reopened("laws", database);
      }
      steps++;
      if (!right) {
        broken.push(`${law}: step ${at}, ${JSON.stringify(step)}`);
        break;
      }
    }
    database.close();
  }

  // One that is damaged is set aside, and stands in nobody's way.
  const [first, second] = laws[0].steps.filter(({ op }) => op === "put");
  for (const damage of [
    ({ lines }, key) => lines.put(new Uint8Array(first.head.bytes), key),
    ({ lines }, key) => lines.put("no bytes at all", key),
    ({ lines }, key) => lines.delete(key),
    ({ heads }, key, head) => heads.put({ ...head, sum: head.sum ^ 1 }, key),
    ({ heads }, key, head) => heads.put({ ...head, lines: head.lines + 1 }, key),
    ({ heads }, key, head) => heads.put({ ...head, born: head.born - 1 }, key),
  ]) {
    let database = await emptied("damage");
    const head = { ...first.head, kind: 0, key: 1 };
    await put(database, head, first.text);
    await put(database, { ...second.head, kind: 0, key: 2 }, second.text);
    const known = (await database.next(0, 0)).head;
    database.close();
    await new Promise((resolve, reject) => {
      const opening = indexedDB.open("wavefront-sdk/damage");
      opening.onerror = () => reject(opening.error);
      opening.onsuccess = () => {
        const transaction = opening.result.transaction(["heads", "lines"], "readwrite");
        const [heads, lines] = [transaction.objectStore("heads"), transaction.objectStore("lines")];
        damage({ heads, lines }, [0, 1], known);
        transaction.oncomplete = () => (opening.result.close(), resolve());
        transaction.onabort = () => reject(transaction.error);
      };
    });
    database = await reopened("damage", database);
    const found = (await database.next(0, 0)).head;
    const replies = [(await database.read(found)).reply, (await database.next(0, 0)).head?.key];
    if (`${replies}` !== `${[DAMAGED, 2]}`) broken.push(`damage: ${damage}: ${replies}`);
    database.close();
  }
  return { broken, steps };
}

/** The store in IndexedDB keeps the laws of the conformance suite: `STORE_SCRIPTS` is the path of these. */
export async function keepsTheLaws(page, site) {
  const path = process.env.STORE_SCRIPTS;
  assert.ok(path, "STORE_SCRIPTS has to be the path of the laws that `cargo test --test stores scripts` writes");
  const scripts = JSON.parse(await readFile(path, "utf8"));
  assert.ok(scripts.laws.length >= 6);
  await visit(page, `${site.url}/store.html`);
  const { broken, steps } = await page.evaluate(play, scripts);
  assert.deepEqual(broken, []);
  assert.equal(steps, scripts.laws.reduce((sum, { steps }) => sum + steps.length, 0));
}
