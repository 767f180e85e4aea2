// The READMEs' JavaScript: that of the repository does what it says, and that of the package has the types that it has to.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { startCollector } from '../runtimes/lib/collector.js';

const run = promisify(execFile);
const WASM = fileURLToPath(new URL('../..', import.meta.url));

let folder, collector;
before(async () => {
  // Where the package's name is known.
  folder = await mkdtemp(join(WASM, 'tests/types/readme-'));
  collector = await startCollector();
});
after(async () => {
  await rm(folder, { recursive: true });
  await collector.stop();
});

// The blocks of JavaScript and TypeScript in a README, and the line that each begins at.
async function blocks(path) {
  const text = await readFile(join(WASM, path), 'utf8');
  const found = [...text.matchAll(/^```[jt]s\n(.*?)^```$/gms)];
  assert.ok(found.length > 0, path);
  return found.map((match) => ({ line: text.slice(0, match.index).split('\n').length, code: match[1] }));
}

test('what README.md shows runs, and prints what it says', async () => {
  for (const { line, code } of await blocks('../README.md')) {
    const file = join(folder, `run-${line}.mjs`);
    const here = code.replace(/'https?:\/\/[^']*'/g, `'${collector.url}'`);
    assert.notEqual(here, code, 'a server is named');
    await writeFile(file, here);
    const { stdout } = await run(process.execPath, [file]);
    const says = [...code.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, said]) => `${said}\n`).join('');
    assert.equal(stdout, says, `README.md:${line}`);
    const [, metric] = /sendMetric\('([^']+)'/.exec(code);
    await collector.arrived(metric.replaceAll(' ', '-'));
  }
});

// What a block takes for granted that comes after others.
const GIVEN = {
  Sender: "import { Sender } from 'wavefront-sdk';",
  sender: "declare const sender: import('wavefront-sdk').Sender;",
  signal: 'declare const signal: AbortSignal;',
  server: 'declare const server: string;',
  source: 'declare const source: string;',
};

test('what the READMEs show has the right types, by the strict compiler', async () => {
  const files = [];
  for (const readme of ['../README.md', 'README.md']) {
    for (const { line, code } of await blocks(readme)) {
      const given = Object.keys(GIVEN).filter((name) => !new RegExp(`(const|import \\{) ${name}\\b`).test(code));
      const file = `${readme.startsWith('..') ? 'repository' : 'package'}-${line}.ts`;
      await writeFile(join(folder, file), [...given.map((name) => GIVEN[name]), code, 'export {};\n'].join('\n'));
      files.push(file);
    }
  }
  // And the compiler looks: this would be an error if there were none.
  await writeFile(join(folder, 'wrong.ts'), `${GIVEN.sender}\n// @ts-expect-error\nsender.sendMetric(7, 'a');\nexport {};\n`);
  files.push('wrong.ts');
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ extends: '../tsconfig.json', files }));
  const compiled = run(join(WASM, 'node_modules/.bin/tsc'), ['--project', folder]);
  assert.equal(await compiled.then(() => '', ({ stdout }) => stdout), '');
});
