// The package in workerd: one isolate, with a sender that was made at import.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startCollector } from "./lib/collector.js";
import { installed } from "./lib/package.js";
import { serveWorker } from "./lib/workerd.js";

let app, collector, worker;

before(async () => {
  collector = await startCollector();
  app = await installed("workerd");
  await writeFile(
    join(app.root, "addresses.js"),
    `export const COLLECTOR = "${collector.url}";\nexport const TCP = "${collector.tcp}";\n`,
  );
  worker = await serveWorker({
    root: app.root,
    entry: "worker.js",
    named: "Watched",
    bindings: { COLLECTOR: collector.url },
  });
});

after(async () => {
  await worker?.stop();
  const summary = await collector?.stop();
  await app?.remove();
  assert.equal(summary?.rejected, 0, JSON.stringify(summary?.rejections));
  const complaints = worker?.said().split("\n").filter((line) => line && !line.includes("on purpose"));
  assert.deepEqual(complaints, []);
});

const get = async (path) => {
  const response = await fetch(worker.url + path);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text;
};

test("a request sends and waits for it", async () => {
  await get("/fetch");
  await collector.arrived('"workerd.fetch"');
});

test("what waitUntil has outlives the answer", async () => {
  assert.equal(await get("/background"), "gone ahead");
  await collector.arrived('"workerd.background"');
  assert.equal(await get("/imported"), "gone ahead");
  await collector.arrived('"workerd.imported"');
});

test("lines stay from one request to the next", async () => {
  for (let i = 0; i < 3; i++) await get("/keep");
  assert.ok(!(await collector.lines()).some((line) => line.includes("workerd.kept")));
  await get("/fetch");
  await collector.arrived('"workerd.kept"', 3);
});

test("fifty requests at once share a sender, and each line arrives once", async () => {
  const wanted = Array.from({ length: 50 }, (_, n) => n);
  await Promise.all(wanted.map((n) => get(`/many?n=${n}`)));
  const lines = await collector.arrived('"workerd.many"', 50);
  const values = lines.map((line) => Number(line.split(" ")[1])).sort((a, b) => a - b);
  assert.deepEqual(values, wanted);
});

test("a large body is compressed", async () => {
  await get("/gzip");
  await collector.arrived('"workerd.gzip"', 1000);
});

test("a cron event sends", async () => {
  await get("/cron");
  const [line] = await collector.arrived('"workerd.cron"');
  assert.match(line, /"cron"="\*\/5 \* \* \* \*"/);
});

test("the alarm of a Durable Object sends", async () => {
  await get("/alarm");
  await collector.arrived('"workerd.alarm"');
});

test("lines go over TCP to a proxy", async () => {
  await get("/tcp");
  await collector.arrived('"workerd.tcp"', 20_000);
});

test("withWavefront reports count, latency and a span of each request, and of one that throws", async () => {
  const response = await fetch(`${worker.named}/path`);
  assert.equal(response.status, 201);
  assert.equal(await response.text(), "watched");
  const failed = await fetch(`${worker.named}/fails`);
  assert.equal(failed.status, 500);
  await failed.text();
  const lines = await collector.arrived('source="workerd-watched"', 6);
  assert.equal(lines.filter((line) => line.startsWith('"∆')).length, 2);
  assert.equal(lines.filter((line) => line.startsWith("!M")).length, 2);
  const spans = lines.filter((line) => line.includes("traceId="));
  assert.equal(spans.length, 2);
  assert.equal(spans.filter((line) => line.includes('"error"="true"')).length, 1);
});
