// A `wavefront collect` of a test's own, and what it accepted.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

/** How long something may take that has to happen. No test is decided by it, unless it fails anyway. */
export const PATIENCE_MS = 30_000;

/** Waits until `found()` gives something, and gives that. */
export async function eventually(what, found) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const result = await found();
    if (result) return result;
    if (Date.now() > deadline) throw new Error(`in ${PATIENCE_MS / 1000} s there was no ${what}`);
    await sleep(20);
  }
}

/** Starts the collector on free ports. The command is `WAVEFRONT`. */
export async function startCollector() {
  const command = process.env.WAVEFRONT;
  if (!command) throw new Error("WAVEFRONT has to be the path of the `wavefront` command");
  const dir = await mkdtemp(join(tmpdir(), "collector-"));
  const out = join(dir, "lines.txt");
  const child = spawn(
    command,
    ["collect", "--json", "--listen", "127.0.0.1:0", "--traces", "127.0.0.1:0", "--out", out],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const exited = once(child, "exit");
  let summary = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (summary += text));

  const ports = [];
  for await (const line of createInterface({ input: child.stderr })) {
    const port = /^listening on .*:(\d+)$/.exec(line)?.[1];
    if (!port) throw new Error(`the collector said: ${line}`);
    if (ports.push(Number(port)) === 2) break;
  }
  const [port, traces] = ports;
  const lines = async () => (await readFile(out, "utf8")).split("\n").filter(Boolean);

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    tcp: `tcp://127.0.0.1:${port}?traces=${traces}&histograms=${port}`,
    lines,
    /** The accepted lines with `text` in them, as soon as there are `count`; more than that is an error. */
    async arrived(text, count = 1) {
      const found = async () => (await lines()).filter((line) => line.includes(text));
      const those = await eventually(`${count} lines with ${text}`, async () => {
        const those = await found();
        return those.length >= count && those;
      });
      if (those.length > count) throw new Error(`${those.length} lines with ${text} instead of ${count}`);
      return those;
    },
    /** Ends it; gives its summary. */
    async stop() {
      child.kill("SIGINT");
      await exited;
      await rm(dir, { recursive: true });
      return JSON.parse(summary);
    },
  };
}
