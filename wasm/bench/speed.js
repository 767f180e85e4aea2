// Lines a second, by the module, by JavaScript alone, and by the serializers of OTLP's HTTP exporters for the same points,
// and how that compares with JavaScript alone:
//
//   wasm/bench/setup && node wasm/bench/speed.js             in this Node
//   wasm/tests/runtimes/setup && node wasm/bench/speed.js chromium

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));

async function inNode() {
  const [{ Sender }, { measure }] = await Promise.all([import('../dist/node.js'), import('./measure.js')]);
  return measure(Sender);
}

async function inChromium() {
  const { launchChromium } = await import('../tests/runtimes/lib/browsers.js');
  const { servePages } = await import('../tests/runtimes/lib/pages.js');
  const { build } = createRequire(new URL('../tests/runtimes/lib/', import.meta.url))('esbuild');
  const root = await mkdtemp(join(tmpdir(), 'speed-'));
  const contents = `
    import { Sender } from '../dist/inline.js';
    import { measure } from './measure.js';
    globalThis.measured = () => measure(Sender);`;
  const stdin = { contents, resolveDir: HERE };
  await build({ stdin, bundle: true, format: 'esm', platform: 'browser', outfile: join(root, 'page.js') });
  await writeFile(join(root, 'index.html'), '<!doctype html><script type="module" src="/page.js"></script>\n');
  const pages = await servePages({ '/': root });
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    await page.goto(pages.url);
    await page.waitForFunction(() => globalThis.measured);
    return await page.evaluate(() => measured());
  } finally {
    await browser.close();
    pages.stop();
    await rm(root, { recursive: true });
  }
}

const rates = await (process.argv[2] === 'chromium' ? inChromium() : inNode());
for (const [name, rate] of Object.entries(rates)) {
  const shown = (Math.round(rate / 1000) * 1000).toLocaleString('en').padStart(10);
  console.log(`${name.padEnd(20)} ${shown} lines/s  ${(rate / rates['plain JavaScript']).toFixed(2)}`);
}
