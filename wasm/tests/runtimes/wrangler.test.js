// The example for Cloudflare, as its user has it: its types hold, and wrangler makes a bundle of it.

import assert from "node:assert/strict";
import { cp, readFile, readdir, symlink } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { HERE, installed, run, tool } from "./lib/package.js";

let app;

before(async () => {
  app = await installed();
  const example = join(HERE, "../../examples/cloudflare");
  for (const file of ["src", "wrangler.jsonc", "tsconfig.json"]) {
    await cp(join(example, file), join(app.root, file), { recursive: true });
  }
  // The example's tools; the package itself is installed from the tarball.
  await symlink(tool("@cloudflare"), join(app.root, "node_modules/@cloudflare"));
});

after(() => app?.remove());

test("the example's types hold", async () => {
  const { stdout } = await run(process.execPath, [tool("typescript/bin/tsc"), "-p", app.root]).catch((error) => error);
  assert.equal(stdout, "");
});

test("wrangler bundles the example with the module beside it", async () => {
  const { stdout } = await run(
    process.execPath,
    [tool("wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", "dist"],
    {
      cwd: app.root,
      env: {
        ...process.env,
        CI: "true",
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_SEND_ERROR_REPORTS: "false",
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
      },
    },
  );
  assert.match(stdout, /env\.METER \(Meter\)/);
  const files = await readdir(join(app.root, "dist"));
  assert.ok(files.some((file) => file.endsWith(".wasm")), files.join());
  const bundle = await readFile(join(app.root, "dist/index.js"), "utf8");
  assert.match(bundle, /import \w+ from "\.\/[^"]*\.wasm"/);
});
