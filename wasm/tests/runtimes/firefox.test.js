// The package in Firefox: a page, and its end.

import assert from "node:assert/strict";
import { after, before, beforeEach, afterEach, test } from "node:test";
import { launchFirefox } from "./lib/browsers.js";
import { keepsTheLaws } from "./lib/conformance.js";
import {
  keepsWhatNeedsAToken,
  sends,
  sendsWhatIsLeft,
  tellsOfAFullQueue,
  visit,
  writesWhatHasNoRoom,
} from "./lib/leaving.js";
import { startSite } from "./lib/site.js";
import { keepsWhatDoesNotFit, leavesAtOnce, survivesTheVisit, tellsOfAFullStore, tellsWhatIsLost } from "./lib/store.js";

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
  await visit(page, site.url);
});

afterEach(async () => {
  if (page.url().startsWith(site.url)) assert.deepEqual(await page.evaluate(() => trouble), []);
  await page.close();
  assert.deepEqual(site.pages.missing, []);
});

test("a page sends", () => sends(page, site, "firefox"));

test("what waits when the page is left arrives", () => sendsWhatIsLeft(page, site, "firefox"));

test("what keepalive has no room for goes by beacon", () =>
  writesWhatHasNoRoom(page, site, "firefox", { all: true }));

test("a Firefox before 133, which has no keepalive, sends by beacon as it is left", async () => {
  await page.evaluateOnNewDocument(() => delete Request.prototype.keepalive);
  await visit(page, site.url);
  await writesWhatHasNoRoom(page, site, "firefox.old", { all: true, keepalive: false });
  await visit(page, site.url);
  await sendsWhatIsLeft(page, site, "firefox.old");
});

test("what needs a token goes by no beacon", () => keepsWhatNeedsAToken(page, site, "firefox"));

test("what a full queue refuses is told of before the page has gone, and offline", () => tellsOfAFullQueue(page));

test("a store in IndexedDB keeps lines from one visit to the next", () =>
  survivesTheVisit(page, site, "firefox.stored"));

test("a store in IndexedDB keeps what a page that is left has no room to send", () =>
  keepsWhatDoesNotFit(page, site, "firefox.kept"));

test("what a full store in IndexedDB refuses is told of, each line once", () =>
  tellsOfAFullStore(page, site, "firefox.full"));

test("what a store in IndexedDB loses is told of, with kind and reason", () =>
  tellsWhatIsLost(page, site, "firefox.lost"));

test("the store in IndexedDB keeps the laws that every store has to", () => keepsTheLaws(page, site));

test("a page that is left before its store was opened sends all the same", () =>
  leavesAtOnce(page, site, "firefox.at.once"));
