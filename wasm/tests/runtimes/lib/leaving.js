// What a page has to do until it has gone, in whatever browser: `page` is one of puppeteer's, or one of playwright's made like it.

import assert from "node:assert/strict";
import { eventually } from "./collector.js";

/** A page of playwright's that takes as many arguments as one of puppeteer's. */
export const spread = (page) => ({
  goto: (url) => page.goto(url),
  waitForFunction: (work) => page.waitForFunction(work),
  evaluate: (work, ...given) => page.evaluate(`(${work})(...${JSON.stringify(given)})`),
});

/** A page with the package loaded. */
export const visit = async (page, url) => {
  await page.goto(url);
  await page.waitForFunction(() => globalThis.sdk);
};

/** `sender` in the page, which sends by itself only as it goes. */
const make = (page, server, options = {}) =>
  page.evaluate(
    (server, options) => {
      globalThis.sender = new sdk.Sender({ server, source: "page", flushIntervalMs: 3_600_000, ...options });
    },
    server,
    options,
  );

const send = (page, name, many) =>
  page.evaluate(
    (name, many) => {
      for (let i = 0; i < many; i++) sender.sendMetric(name, i);
    },
    name,
    many,
  );

/** What a page sends arrives. */
export async function sends(page, site, name) {
  await make(page, site.collector.url);
  await send(page, `${name}.send`, 1000);
  assert.deepEqual(await page.evaluate(() => sender.flush()), { complete: true, left: 0, lost: 0 });
  assert.equal((await page.evaluate(() => sender.close())).complete, true);
  const lines = await site.collector.arrived(`"${name}.send"`, 1000);
  assert.equal(lines[999], `"${name}.send" 999.0 source="page"`);
}

/** What waits when a page is left arrives. */
export async function sendsWhatIsLeft(page, site, name) {
  await make(page, site.collector.url);
  await send(page, `${name}.left`, 500);
  await page.goto("about:blank");
  await site.collector.arrived(`"${name}.left"`, 500);
}

const FAR_TOO_MANY = 4000;

// Sends more than keepalive has room for, tells the page that it goes, and says what the ledger has once every request was
// answered.
async function overflow(page, name) {
  await page.evaluate(
    (name, many) => {
      for (let i = 0; i < many; i++) sender.sendMetric(name, i, { tags: { page: "as long as it takes" } });
      // Before a full batch leaves in the usual way.
      dispatchEvent(new Event("pagehide"));
    },
    name,
    FAR_TOO_MANY,
  );
  return eventually("answers", async () => {
    const { metric } = await page.evaluate(() => sender.stats());
    return metric.inFlight === 0 && metric;
  });
}

/** What keepalive has no room for goes by beacon, as far as the browser takes it: written, and nobody says whether it arrived. */
export async function writesWhatHasNoRoom(page, site, name, { all, keepalive = true }) {
  await make(page, site.collector.url);
  const metric = await overflow(page, `${name}.beacon`);
  assert.equal(metric.accepted, metric.delivered + metric.written + metric.queued);
  assert.equal(metric.delivered > 0, keepalive, JSON.stringify(metric));
  if (all) {
    assert.deepEqual([metric.queued, metric.written > 0], [0, true], JSON.stringify(metric));
    await site.collector.arrived(`"${name}.beacon"`, FAR_TOO_MANY);
  }
  const { complete, lost, stats } = await page.evaluate(() => sender.close());
  assert.deepEqual([complete, lost, stats.metric.doubtful], [metric.written === 0, metric.written, metric.written]);
  await site.collector.arrived(`"${name}.beacon"`, FAR_TOO_MANY);
}

/** A beacon has no headers: what needs a token waits for a request that has. */
export async function keepsWhatNeedsAToken(page, site, name) {
  await make(page, site.relay.url, { token: "a-token" });
  const from = site.relay.seen.length;
  const metric = await overflow(page, `${name}.token`);
  assert.deepEqual([metric.written, metric.delivered > 0], [0, true], JSON.stringify(metric));
  assert.equal((await page.evaluate(() => sender.close())).complete, true);
  await site.collector.arrived(`"${name}.token"`, FAR_TOO_MANY);
  const posts = site.relay.seen.slice(from).filter((note) => note.method === "POST");
  assert.ok(posts.every((note) => note.headers.authorization === "Bearer a-token"));
}

/** Lines that find no room just after others are told of before the page has gone, and soon where it has no network. */
export async function tellsOfAFullQueue(page) {
  const told = await page.evaluate(async () => {
    const told = [];
    const onError = ({ code, lines }) => void (code === "queue-full" && told.push(lines));
    // Nobody listens there.
    const options = { server: "http://127.0.0.1:1", source: "page", maxQueueSize: 10, flushIntervalMs: 3_600_000, onError };
    const sender = new sdk.Sender(options);
    const send = (many) => Array.from({ length: many }, (_, i) => sender.sendMetric("full", i));
    send(30);
    dispatchEvent(new Event("pagehide"));
    const left = told.splice(0);
    Object.defineProperty(navigator, "onLine", { value: false, configurable: true });
    send(5);
    for (let tries = 0; tries < 500 && told.length === 0; tries++) await new Promise((resolve) => setTimeout(resolve, 20));
    const offline = told.splice(0);
    delete navigator.onLine;
    const { stats } = await sender.close({ timeoutMs: 0 });
    return { left, offline, again: told, lost: stats.metric.dropped.queueFull };
  });
  assert.deepEqual(told, { left: [1, 19], offline: [5], again: [], lost: 25 });
}
