// The example for pages: its types hold, vite builds it, and it does what it shows.

import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import * as vite from "vite";
import { launchChromium } from "./lib/browsers.js";
import { eventually, startCollector } from "./lib/collector.js";
import { HERE, installed, run, tool } from "./lib/package.js";
import { servePages } from "./lib/pages.js";

let app, browser, collector, pages;

before(async () => {
  collector = await startCollector();
  app = await installed();
  const example = join(HERE, "../../examples/browser");
  for (const file of ["src", "public", "index.html", "tsconfig.json"]) {
    await cp(join(example, file), join(app.root, file), { recursive: true });
  }
  await vite.build({ root: app.root, configFile: false, logLevel: "error" });
  pages = await servePages({ "/": join(app.root, "dist") });
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  pages?.stop();
  await collector?.stop();
  await app?.remove();
});

test("the example's types hold", async () => {
  const { stdout } = await run(process.execPath, [tool("typescript/bin/tsc"), "-p", app.root]).catch((error) => error);
  assert.equal(stdout, "");
});

test("values are chosen and sent, and the page shows the lines and the ledger", async () => {
  const page = await browser.newPage({ viewport: { width: 1180, height: 800 } });
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("console", (message) => message.type() === "error" && trouble.push(message.text()));
  await page.goto(pages.url);
  await page.fill("[name=server]", collector.url);
  await page.click("#connection button");

  const names = { metric: 12, delta: 3, histogram: 2, span: 1, event: 1 };
  for (const [kind, times] of Object.entries(names)) {
    await page.selectOption("[name=kind]", kind);
    await page.fill("[name=name]", `example.${kind}`);
    await page.fill("[name=times]", String(times));
    assert.match(await page.textContent("#line"), new RegExp(`example\\.${kind}`));
    await page.click("#datum button:not([type])");
  }
  // What is no datum is refused with a reason, and counted.
  await page.selectOption("[name=kind]", "metric");
  await page.fill("[name=name]", "");
  await page.click("#datum button:not([type])");
  assert.match(await page.textContent("#problem"), /name/);
  await page.fill("[name=name]", "example.metric");
  assert.equal(await page.textContent("#problem"), "");

  await page.click("#flush");
  await eventually("flush", async () => /everything is delivered/.test(await page.textContent("#said")));
  for (const [kind, times] of Object.entries(names)) await collector.arrived(`example.${kind}`, times);
  const total = await eventually("ledger", async () => {
    const cells = await page.locator("#ledger tr:last-child td").allTextContents();
    return cells[4 + 1] === "19" && cells;
  });
  assert.deepEqual(total, ["Total", "19", "0", "0", "0", "19", "0", "1"]);
  assert.deepEqual(trouble, []);
  assert.deepEqual(pages.missing, []);

  // Nothing stands beyond the edge, on a telephone either. The pictures are for who wants to look at them.
  for (const [name, width] of [["example", 1180], ["example-narrow", 390]]) {
    await page.setViewportSize({ width, height: 800 });
    assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, name);
    const path = process.env.SCREENSHOTS && join(process.env.SCREENSHOTS, `${name}.png`);
    assert.ok((await page.screenshot({ path, fullPage: true })).length > 10_000);
  }
  await page.close();
});
