// The package in Firefox: a page, and its end.

import assert from "node:assert/strict";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { launchFirefox } from "./lib/browsers.js";
import { startSite } from "./lib/site.js";
import { keepsWhatDoesNotFit, leavesAtOnce, survivesTheVisit } from "./lib/store.js";

let browser, site, page;

before(async () => {
  site = await startSite();
  browser = await launchFirefox();
});

after(async () => {
  await browser?.close();
  const summary = await site?.stop();
  assert.equal(summary?.rejected, 0, JSON.stringify(summary?.rejections));
});

beforeEach(async () => {
  page = await browser.newPage();
  await page.goto(site.url);
  await page.waitForFunction(() => globalThis.sdk);
});

afterEach(async () => {
  if (page.url().startsWith(site.url)) assert.deepEqual(await page.evaluate(() => trouble), []);
  await page.close();
  assert.deepEqual(site.pages.missing, []);
});

test("a page sends", async () => {
  await page.evaluate(async (server) => {
    const sender = new sdk.Sender({ server, source: "firefox" });
    for (let i = 0; i < 1000; i++) sender.sendMetric("firefox.send", i);
    await sender.flush();
    await sender.close();
  }, site.collector.url);
  await site.collector.arrived('"firefox.send"', 1000);
});

test("what waits when the page is left arrives", async () => {
  await page.evaluate((server) => {
    const sender = new sdk.Sender({ server, source: "firefox", flushIntervalMs: 3_600_000 });
    for (let i = 0; i < 500; i++) sender.sendMetric("firefox.left", i);
  }, site.collector.url);
  await page.goto("about:blank");
  await site.collector.arrived('"firefox.left"', 500);
});

test("a beacon of a line that the package made arrives from pagehide", async () => {
  await page.evaluate((server) => {
    const line = `"firefox.beacon" 1 source="firefox"\n`;
    addEventListener("pagehide", () => navigator.sendBeacon(`${server}/report?f=wavefront`, line));
  }, site.collector.url);
  await page.goto("about:blank");
  await site.collector.arrived('"firefox.beacon"');
});

test("a store in IndexedDB keeps lines from one visit to the next", () =>
  survivesTheVisit(page, site, "firefox.stored"));

test("a store in IndexedDB keeps what a page that is left has no room to send", () =>
  keepsWhatDoesNotFit(page, site, "firefox.kept"));

test("a page that is left before its store was opened sends all the same", () =>
  leavesAtOnce(page, site, "firefox.at.once"));
