// The package in Chromium: a page, its workers, its end.

import assert from "node:assert/strict";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { launchChromium } from "./lib/browsers.js";
import { keepsTheLaws } from "./lib/conformance.js";
import {
  keepsWhatNeedsAToken,
  sends,
  sendsWhatIsLeft,
  spread,
  tellsOfAFullQueue,
  visit,
  writesWhatHasNoRoom,
} from "./lib/leaving.js";
import { startSite } from "./lib/site.js";
import { keepsWhatDoesNotFit, leavesAtOnce, survivesTheVisit, tellsOfAFullStore, tellsWhatIsLost } from "./lib/store.js";

let browser, site, context, page;

before(async () => {
  site = await startSite();
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  const summary = await site?.stop();
  assert.equal(summary?.rejected, 0, JSON.stringify(summary?.rejections));
});

beforeEach(async () => {
  context = await browser.newContext();
  page = await context.newPage();
  await visit(page, site.url);
});

afterEach(async () => {
  if (page.url().startsWith(site.url)) assert.deepEqual(await page.evaluate(() => trouble), []);
  await context.close();
  site.relay.answer(() => null);
  assert.deepEqual(site.pages.missing, []);
});

test("a page sends", () => sends(spread(page), site, "chromium"));

test("gzip and Authorization pass the preflight of another origin", async () => {
  const from = site.relay.seen.length;
  await page.evaluate(async (server) => {
    const sender = new sdk.Sender({ server, token: "a-token", source: "chromium" });
    for (let i = 0; i < 100; i++) sender.sendMetric("chromium.direct", i);
    await sender.flush();
    await sender.close();
  }, site.relay.url);
  await site.collector.arrived('"chromium.direct"', 100);
  const [preflight, ...posts] = site.relay.seen.slice(from);
  assert.equal(preflight.method, "OPTIONS");
  assert.match(preflight.headers["access-control-request-headers"], /authorization/);
  assert.match(preflight.headers["access-control-request-headers"], /content-encoding/);
  const [post] = posts.filter((note) => note.method === "POST");
  assert.equal(post.headers.authorization, "Bearer a-token");
  assert.equal(post.headers["content-encoding"], "gzip");
  assert.match(gunzipSync(post.body).toString(), /^"chromium\.direct" 0\.0 source="chromium"\n/);
});

test("what waits when the page is left arrives", () => sendsWhatIsLeft(spread(page), site, "chromium"));

test("what keepalive has no room for waits: a beacon has none either", () =>
  writesWhatHasNoRoom(spread(page), site, "chromium", { all: false }));

test("what needs a token goes by no beacon", () => keepsWhatNeedsAToken(spread(page), site, "chromium"));

test("what a full queue refuses is told of before the page has gone, and offline", () => tellsOfAFullQueue(spread(page)));

test("what waits when the page is hidden arrives, and once", async () => {
  await page.evaluate((server) => {
    globalThis.sender = new sdk.Sender({ server, source: "chromium", flushIntervalMs: 3_600_000 });
    sender.sendMetric("chromium.hidden", 1);
    // No window is hidden where there is no screen.
    Object.defineProperty(document, "visibilityState", { value: "hidden" });
    document.dispatchEvent(new Event("visibilitychange"));
  }, site.collector.url);
  await site.collector.arrived('"chromium.hidden"');
  await page.goto("about:blank");
  await page.goto(site.url);
  await site.collector.arrived('"chromium.hidden"');
});

test("what could not be sent offline is sent as soon as the page is online", async () => {
  await context.setOffline(true);
  await page.evaluate(async (server) => {
    globalThis.sender = new sdk.Sender({ server, source: "chromium", flushIntervalMs: 3_600_000 });
    sender.sendMetric("chromium.offline", 1);
    await sender.flush({ timeoutMs: 200 });
    sender.sendMetric("chromium.offline", 2);
  }, site.collector.url);
  assert.ok(!(await site.collector.lines()).some((line) => line.includes("chromium.offline")));
  await context.setOffline(false);
  await site.collector.arrived('"chromium.offline"', 2);
});

test("a Web Worker sends", async () => {
  const said = await page.evaluate(
    (server) =>
      new Promise((resolve) => {
        const policy = trustedTypes.createPolicy("tests", { createScriptURL: (url) => url });
        const worker = new Worker(policy.createScriptURL("/worker.js"), { type: "module" });
        worker.onmessage = ({ data }) => resolve(data);
        worker.onerror = ({ message }) => resolve(message);
        worker.postMessage({ server, name: "chromium.web.worker" });
      }),
    site.collector.url,
  );
  assert.equal(said, "closed");
  await site.collector.arrived('"chromium.web.worker"');
});

test("a Service Worker sends, after its page has gone too", async () => {
  await page.evaluate(async (server) => {
    const policy = trustedTypes.createPolicy("tests", { createScriptURL: (url) => url });
    await navigator.serviceWorker.register(policy.createScriptURL("/service-worker.js"), { type: "module" });
    const { active } = await navigator.serviceWorker.ready;
    active.postMessage({ server, name: "chromium.service.worker" });
  }, site.collector.url);
  await page.goto("about:blank");
  await site.collector.arrived('"chromium.service.worker"');
});

test("a store in IndexedDB keeps lines from one visit to the next", () =>
  survivesTheVisit(spread(page), site, "chromium.stored"));

test("a store in IndexedDB keeps what a page that is left has no room to send", () =>
  keepsWhatDoesNotFit(spread(page), site, "chromium.kept"));

test("what a full store in IndexedDB refuses is told of, each line once", () =>
  tellsOfAFullStore(spread(page), site, "chromium.full"));

test("what a store in IndexedDB loses is told of, with kind and reason", () =>
  tellsWhatIsLost(spread(page), site, "chromium.lost"));

test("the store in IndexedDB keeps the laws that every store has to", () => keepsTheLaws(spread(page), site));

test("a page that is left before its store was opened sends all the same", () =>
  leavesAtOnce(spread(page), site, "chromium.at.once"));
