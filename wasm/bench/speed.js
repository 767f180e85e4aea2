// Lines a second, by the module and by a plain-JavaScript encoder of the same lines: node wasm/bench/speed.js
//
// The requests are answered at once by a function of this file, so that what is measured is encoding, queue and delivery.

import { Sender } from 'wavefront-sdk';

const LINES = 40_000;
const ROUNDS = 15;

globalThis.fetch = async () => new Response(null, { status: 202 });

const NAMES = Array.from({ length: 16 }, (_, at) => `new-york.power.usage.${at}`);
const TAGS = { datacenter: 'dc1', region: 'us-west' };
const TIME = 1493773500;

// The rules of the wire format for names, text and numbers, and a queue of strings: what such a client needs at least.
class Plain {
  #lines = [];

  sendMetric(name, value, { timestamp, source, tags }) {
    if (!Number.isFinite(value) || !name.trim() || !source.trim()) throw new Error('invalid');
    let line = `"${clean(name)}" ${decimal(value)} ${timestamp} source="${quote(source)}"`;
    for (const key of Object.keys(tags)) line += ` "${clean(key)}"="${quote(tags[key])}"`;
    this.#lines.push(line);
  }

  flush() {
    return new TextEncoder().encode(this.#lines.splice(0).join('\n') + '\n').length;
  }
}

const clean = (name) => (/^[~∆Δ]?[\w\-.,/]+$/.test(name) ? name : name.replace(/[^\w\-.,/~∆Δ]/gu, '-'));
const quote = (text) => {
  const trimmed = text.trim();
  return /["\n\u0004\\]/.test(trimmed) ? trimmed.replace(/"/g, '\\"').replace(/\n/g, '\\n').replace(/\u0004/g, '-') : trimmed;
};
const decimal = (value) => (Number.isInteger(value) ? `${value}.0` : `${value}`);

async function rate(name, send, flush) {
  const rates = [];
  for (let round = 0; round < ROUNDS; round++) {
    const began = performance.now();
    for (let line = 0; line < LINES; line++) send(line);
    const took = performance.now() - began;
    await flush();
    rates.push(LINES / took);
  }
  // The median: the first rounds are not compiled yet.
  const median = rates.sort((a, b) => a - b)[ROUNDS >> 1];
  console.log(`${name.padEnd(32)} ${Math.round(median).toString().padStart(6)},000 lines/s`);
}

const sender = new Sender({ server: 'proxy://localhost', source: 'localhost' });
const series = NAMES.map((name) => sender.prepare(name, 'localhost', TAGS));
const plain = new Plain();
const value = (line) => line * 0.37;

await rate('sendMetric', (line) => sender.sendMetric(NAMES[line & 15], value(line), { timestamp: TIME, source: 'localhost', tags: TAGS }), () => sender.flush());
await rate('series.send', (line) => series[line & 15].send(value(line), TIME), () => sender.flush());
await rate('plain JavaScript', (line) => plain.sendMetric(NAMES[line & 15], value(line), { timestamp: TIME, source: 'localhost', tags: TAGS }), () => plain.flush());
await sender.close();
