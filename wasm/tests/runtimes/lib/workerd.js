// workerd, the runtime of Cloudflare's workers, with one bundled worker.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { build } from "esbuild";
import { tool } from "./package.js";

/** What a worker's bundler is told: as wrangler does it. */
const BUNDLE = {
  bundle: true,
  format: "esm",
  conditions: ["workerd", "worker", "browser"],
  external: ["cloudflare:*", "node:*"],
  loader: { ".wasm": "copy" },
  assetNames: "[name]",
  logLevel: "error",
};

/**
 * Bundles `entry` of the folder `app` and serves it. `bindings` are the text ones of the worker; `named` is the export
 * that stands at the second socket.
 */
export async function serveWorker({ root, entry, named, bindings }) {
  const out = join(root, "dist");
  await mkdir(out, { recursive: true });
  const { metafile } = await build({
    ...BUNDLE,
    absWorkingDir: root,
    entryPoints: [entry],
    outfile: join(out, "worker.js"),
    metafile: true,
  });
  const wasm = Object.keys(metafile.outputs).map((path) => path.split("/").pop()).filter((name) => /\.wasm$/.test(name));
  const text = Object.entries(bindings).map(([name, value]) => `(name = "${name}", text = "${value}")`);
  const modules = ["worker.js", ...wasm].map(
    (name) => `(name = "${name}", ${name.endsWith(".js") ? "esModule" : "wasm"} = embed "${name}")`,
  );
  await writeFile(
    join(out, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["127.0.0.1/32"])),
  ],
  sockets = [
    (name = "main", address = "127.0.0.1:0", http = (), service = "main"),
    (name = "named", address = "127.0.0.1:0", http = (), service = (name = "main", entrypoint = "${named}")),
  ],
);
const main :Workerd.Worker = (
  modules = [${modules.join(", ")}],
  compatibilityDate = "2026-04-01",
  compatibilityFlags = ["service_binding_extra_handlers"],
  bindings = [
    (name = "SELF", service = "main"),
    (name = "ALARM", durableObjectNamespace = "Alarm"),
    ${text.join(", ")}
  ],
  durableObjectNamespaces = [(className = "Alarm", uniqueKey = "alarm")],
  durableObjectStorage = (inMemory = void),
);
`,
  );
  const child = spawn(
    tool("@cloudflare/workerd-linux-64/bin/workerd"),
    ["serve", "--experimental", "--control-fd=3", "config.capnp"],
    { cwd: out, stdio: ["ignore", "inherit", "pipe", "pipe"] },
  );
  const exited = once(child, "exit");
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
  exited.then(() => child.stdio[3].destroy());
  const ports = {};
  for await (const line of createInterface({ input: child.stdio[3] })) {
    const { event, socket, port } = JSON.parse(line);
    if (event === "listen") ports[socket] = port;
    if (ports.main && ports.named) break;
  }
  if (!ports.named) throw new Error(`workerd did not start:\n${said}`);

  return {
    url: `http://127.0.0.1:${ports.main}`,
    named: `http://127.0.0.1:${ports.named}`,
    /** What it complained of: uncaught errors, promises that were given up. */
    said: () => said,
    async stop() {
      // The friendlier signals wait for its connections.
      child.kill("SIGKILL");
      await exited;
    },
  };
}
