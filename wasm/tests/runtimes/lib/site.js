// A site with the package, its sources beside it, and a collector: what both browsers are tried with.

import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCollector } from "./collector.js";
import { HERE, installed } from "./package.js";
import { servePages } from "./pages.js";
import { startRelay } from "./relay.js";

export async function startSite() {
  const app = await installed();
  const root = await mkdtemp(join(tmpdir(), "site-"));
  await cp(join(HERE, "fixtures/page"), root, { recursive: true });
  // One that is the main entry, and one with a store.
  for (const [file, subpath] of [["entry.js", "."], ["store.js", "./store"]]) {
    await writeFile(join(root, file), `export * from "/sdk/${app.entry(["browser", "import"], subpath)}";\n`);
  }
  const pages = await servePages({ "/sdk/": app.sdk, "/source/": join(HERE, "../../js"), "/": root });
  const collector = await startCollector();
  const relay = await startRelay(collector);

  return {
    url: pages.url,
    pages,
    collector,
    relay,
    async stop() {
      relay.stop();
      pages.stop();
      const summary = await collector.stop();
      await rm(root, { recursive: true });
      await app.remove();
      return summary;
    },
  };
}
