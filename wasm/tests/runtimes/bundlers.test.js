// The package through the bundlers that applications use; what they make runs in Chromium.

import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import * as esbuild from "esbuild";
import * as vite from "vite";
import webpack from "webpack";
import { launchChromium } from "./lib/browsers.js";
import { startCollector } from "./lib/collector.js";
import { installed } from "./lib/package.js";
import { servePages } from "./lib/pages.js";

let app, browser, collector;

before(async () => {
  collector = await startCollector();
  app = await installed("bundled");
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await collector?.stop();
  await app?.remove();
});

/** Opens the page at `url` and sends with it. */
const runs = async (url, name) => {
  const page = await browser.newPage();
  const trouble = [];
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico")) trouble.push(message.text());
  });
  await page.goto(url);
  await page.waitForFunction(() => globalThis.send);
  assert.equal(await page.evaluate(([server, name]) => send(server, name), [collector.url, name]), "closed");
  await collector.arrived(`"${name}"`);
  assert.deepEqual(trouble, []);
  await page.close();
};

/** The same for a folder that a bundler made. */
const built = async (folder, name) => {
  const pages = await servePages({ "/": folder });
  try {
    await runs(pages.url, name);
    assert.deepEqual(pages.missing, []);
  } finally {
    pages.stop();
  }
};

/** A page for what makes none of its own. */
const withPage = async (folder) => {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "index.html"), await readFile(join(app.root, "index.html")));
  return folder;
};

test("esbuild", async () => {
  const folder = await withPage(join(app.root, "esbuild"));
  const { warnings } = await esbuild.build({
    absWorkingDir: app.root,
    entryPoints: ["main.js"],
    bundle: true,
    format: "esm",
    outfile: join(folder, "main.js"),
    logLevel: "silent",
  });
  assert.deepEqual(warnings, []);
  await built(folder, "bundled.esbuild");
});

test("webpack", async () => {
  const folder = await withPage(join(app.root, "webpack"));
  const compiler = webpack({
    mode: "production",
    context: app.root,
    entry: "./main.js",
    output: { path: folder, filename: "main.js" },
    // It says so of every asset over 250 KB.
    performance: { hints: false },
  });
  const stats = await promisify(compiler.run.bind(compiler))();
  await promisify(compiler.close.bind(compiler))();
  assert.deepEqual([...stats.compilation.errors, ...stats.compilation.warnings].map(String), []);
  await built(folder, "bundled.webpack");
});

test("vite, built", async () => {
  const folder = join(app.root, "vite");
  await vite.build({ root: app.root, configFile: false, logLevel: "error", build: { outDir: folder } });
  await built(folder, "bundled.vite");
});

test("vite, while it is developed", async () => {
  const server = await vite.createServer({
    root: app.root,
    configFile: false,
    logLevel: "error",
    server: { host: "127.0.0.1", port: 0, hmr: false, watch: null },
  });
  try {
    await server.listen();
    await runs(`http://127.0.0.1:${server.httpServer.address().port}`, "bundled.vite.dev");
  } finally {
    await server.close();
  }
});
