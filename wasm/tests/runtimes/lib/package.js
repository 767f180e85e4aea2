// The package as a user has it: packed, and installed from the tarball.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const run = promisify(execFile);

/** This folder's parent, where the tools are installed. */
export const HERE = fileURLToPath(new URL("..", import.meta.url));

/** The binary or script `path` of an installed tool. */
export const tool = (path) => {
  const file = join(HERE, "node_modules", path);
  if (!existsSync(file)) throw new Error(`${file} is missing: run wasm/tests/runtimes/setup`);
  return file;
};

/** Installs the tarball `PACKAGE` into a new folder, next to a copy of `fixtures/FOLDER`. */
export async function installed(folder) {
  const tarball = process.env.PACKAGE;
  if (!tarball) throw new Error("PACKAGE has to be the path of the tarball that `npm pack` made");
  const root = await mkdtemp(join(tmpdir(), "installed-"));
  if (folder) await cp(join(HERE, "fixtures", folder), root, { recursive: true });
  if (!existsSync(join(root, "package.json"))) {
    await writeFile(join(root, "package.json"), '{"name": "app", "private": true, "type": "module"}\n');
  }
  await run("npm", ["install", "--offline", "--no-package-lock", "--no-audit", "--no-fund", tarball], { cwd: root });
  const sdk = join(root, "node_modules/wavefront-sdk");
  const { exports } = JSON.parse(await readFile(join(sdk, "package.json"), "utf8"));

  return {
    root,
    /** The package's own folder. */
    sdk,
    /** The file, relative to `sdk`, that `import` of `subpath` takes under `conditions`. */
    entry(conditions, subpath = ".") {
      const find = (target) => {
        if (typeof target === "string") return target.replace(/^\.\//, "");
        const key = Object.keys(target).find((key) => key === "default" || conditions.includes(key));
        return key && find(target[key]);
      };
      return find(exports[subpath]);
    },
    remove: () => rm(root, { recursive: true }),
  };
}
