// What a store in a page has to do, in whatever browser: `page` is one of playwright's or of puppeteer's.

import assert from "node:assert/strict";
import { eventually } from "./collector.js";
import { visit } from "./leaving.js";

/** The next visit: a sender with the same store, and a receiver that is there. */
async function visitAgain(page, site, name) {
  site.relay.answer(() => null);
  await visit(page, `${site.url}/store.html`);
  await page.evaluate(
    (server, name) => {
      globalThis.sender = new sdk.Sender({ server, source: "store", store: { name }, flushIntervalMs: 100 });
    },
    site.relay.url,
    name,
  );
}

/**
 * Tells the page that it goes, and waits until its store has so many lines. What a browser still writes for a page that is
 * really gone, it does not promise; so it goes only then.
 */
async function leave(page, name, lines) {
  await page.evaluate(() => dispatchEvent(new Event("pagehide")));
  await eventually(`${lines} lines in the store`, async () => {
    const has = await page.evaluate(
      (name) =>
        new Promise((resolve, reject) => {
          const opening = indexedDB.open(`wavefront-sdk/${name}`);
          opening.onerror = () => reject(opening.error);
          opening.onsuccess = () => {
            const heads = opening.result.transaction("heads").objectStore("heads").getAll();
            heads.onerror = () => reject(heads.error);
            heads.onsuccess = () => {
              opening.result.close();
              resolve(heads.result.reduce((sum, head) => sum + head.lines, 0));
            };
          };
        }),
      name,
    );
    return has === lines;
  });
  await page.goto("about:blank");
}

/** Lines that nobody takes when the page is left come with the next visit: all of them, once. */
export async function survivesTheVisit(page, site, name) {
  const url = `${site.url}/store.html`;
  // The receiver is not there.
  site.relay.answer(() => ({ status: 503 }));
  await visit(page, url);
  await page.evaluate(
    async (server, name) => {
      globalThis.sender = new sdk.Sender({ server, source: "store", store: { name } });
      for (let i = 0; i < 300; i++) sender.sendMetric(`${name}.first`, i);
      await sender.flush({ timeoutMs: 300 });
      for (let i = 0; i < 300; i++) sender.sendMetric(`${name}.last`, i);
    },
    site.relay.url,
    name,
  );
  await leave(page, name, 600);
  const arrived = (await site.collector.lines()).filter((line) => line.includes(`${name}.`));
  assert.deepEqual(arrived, []);

  await visitAgain(page, site, name);
  await site.collector.arrived(`${name}.first`, 300);
  await site.collector.arrived(`${name}.last`, 300);
  const total = await eventually("recovered lines, delivered", async () => {
    const { total } = await page.evaluate(() => sender.stats());
    return total.delivered === 600 && total;
  });
  assert.deepEqual([total.recovered, total.stored, total.accepted], [600, 0, 0]);
  assert.deepEqual(Object.values(total.dropped).filter(Boolean), []);
  const closed = await page.evaluate(() => sender.close());
  assert.equal(closed.complete, true);
  assert.deepEqual(await page.evaluate(() => trouble), []);

  // And none of it is there a third time.
  await visit(page, url);
  const left = await page.evaluate(async (name) => {
    const database = new stores.Database(name);
    const found = await Promise.all([0, 1, 2, 3, 4, 5, 6].map((kind) => database.next(kind, 0)));
    database.close();
    return found.map(({ reply }) => reply);
  }, name);
  assert.deepEqual(left, Array(7).fill(1));
}

/** More than a page may send as it goes: what does not fit is in the store then, and comes with the next visit. */
export async function keepsWhatDoesNotFit(page, site, name) {
  const url = `${site.url}/store.html`;
  const many = 5000;
  let asked = 0;
  site.relay.answer(() => (asked++, { status: 503 }));
  await visit(page, url);
  await page.evaluate(
    (server, name, many) => {
      globalThis.sender = new sdk.Sender({ server, source: "store", store: { name }, flushIntervalMs: 3_600_000 });
      for (let i = 0; i < many; i++) sender.sendMetric(`${name}.many`, i);
    },
    site.relay.url,
    name,
    many,
  );
  await leave(page, name, many);
  assert.ok(asked > 0, "some of it was sent");

  await visitAgain(page, site, name);
  await site.collector.arrived(`${name}.many`, many);
  await page.evaluate(() => sender.close());
  assert.deepEqual(await page.evaluate(() => trouble), []);
}

/** What the store loses is told of, with kind, number and reason, and the ledger says the same. */
export async function tellsWhatIsLost(page, site, name) {
  await visit(page, `${site.url}/store.html`);
  await page.evaluate(
    async (server, name) => {
      const database = new stores.Database(name);
      const put = (kind, lines, born) => {
        const text = new TextEncoder().encode('"a" 1.0 source="b"\n'.repeat(lines));
        return database.put({ kind, key: 1, lines, bytes: text.length, born }, text);
      };
      // A delta that is too old, a histogram that is damaged, and a metric that is neither.
      await put(1, 2, Date.now() - 86_400_000);
      await put(2, 3, Date.now());
      await put(0, 1, Date.now());
      database.close();
      await new Promise((resolve, reject) => {
        const opening = indexedDB.open(`wavefront-sdk/${name}`);
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const transaction = opening.result.transaction("lines", "readwrite");
          transaction.objectStore("lines").delete([2, 1]);
          transaction.oncomplete = () => (opening.result.close(), resolve());
          transaction.onabort = () => reject(transaction.error);
        };
      });
      await navigator.locks.request(`wavefront-sdk/${name}`, () => {});
      const told = (globalThis.told = []);
      const onError = ({ code, kind, lines, fate }) => told.push({ code, kind, lines, fate });
      const store = { name, maxAgeMs: 3_600_000 };
      globalThis.sender = new sdk.Sender({ server, source: "store", store, onError, flushIntervalMs: 50 });
    },
    site.collector.url,
    name,
  );
  await eventually("the line that is not lost, delivered", async () => {
    const { total } = await page.evaluate(() => sender.stats());
    return total.delivered === 1 && total.stored === 0;
  });
  assert.deepEqual((await page.evaluate(() => globalThis.told)).sort((a, b) => a.lines - b.lines), [
    { code: "expired", kind: "delta", lines: 2, fate: "dropped" },
    { code: "damaged", kind: "histogram", lines: 3, fate: "dropped" },
  ]);
  const { delta, histogram, metric, total } = await page.evaluate(() => sender.stats());
  assert.deepEqual([delta.recovered, delta.dropped.expired], [2, 2]);
  assert.deepEqual([histogram.recovered, histogram.dropped.damaged], [3, 3]);
  assert.deepEqual([metric.recovered, metric.delivered], [1, 1]);
  assert.equal(Object.values(total.dropped).reduce((sum, lines) => sum + lines, 0), 5);
  await page.evaluate(() => sender.close());
  assert.deepEqual(await page.evaluate(() => trouble), []);
}

/** Lines that neither queue nor store has room for are told of by the name that they are counted under. */
export async function tellsOfAFullStore(page, site, name) {
  await visit(page, `${site.url}/store.html`);
  const [told, dropped] = await page.evaluate(async (name) => {
    const told = { queueFull: 0, storeFull: 0, closed: 0 };
    const names = { "queue-full": "queueFull", "store-full": "storeFull", closed: "closed" };
    const onError = ({ code, lines, fate }) => void (fate === "dropped" && (told[names[code]] += lines));
    const store = { name, maxBytes: 1 };
    // Nobody listens there.
    const server = "http://127.0.0.1:1";
    const sender = new sdk.Sender({ server, source: "store", store, onError, maxQueueSize: 10, flushIntervalMs: 50 });
    for (let round = 0; round < 1_000 && sender.stats().total.dropped.storeFull < 20; round++) {
      for (let i = 0; i < 10; i++) sender.sendMetric(`${name}.full`, i);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const { stats } = await sender.close({ timeoutMs: 0 });
    return [told, stats.total.dropped];
  }, name);
  assert.ok(dropped.storeFull >= 20, JSON.stringify(dropped));
  assert.deepEqual(told, { queueFull: dropped.queueFull, storeFull: dropped.storeFull, closed: dropped.closed });
  assert.deepEqual(await page.evaluate(() => trouble), []);
}

/** What a page sends that is left at once, before its store was opened. */
export async function leavesAtOnce(page, site, name) {
  await visit(page, `${site.url}/store.html`);
  await page.evaluate(
    (server, name) => {
      const sender = new sdk.Sender({ server, source: "store", store: { name }, flushIntervalMs: 3_600_000 });
      for (let i = 0; i < 100; i++) sender.sendMetric(`${name}.hurry`, i);
    },
    site.collector.url,
    name,
  );
  await page.goto("about:blank");
  await site.collector.arrived(`${name}.hurry`, 100);
}
