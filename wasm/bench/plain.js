// A client in JavaScript alone, for the benchmark: the rules of the wire format for names, text and numbers, and a queue of
// strings, which is what such a client needs at least. No bounds, no retries, no ledger.

export class Plain {
  #lines = [];

  sendMetric(name, value, { timestamp, source, tags }) {
    if (!Number.isFinite(value) || !name.trim() || !source.trim()) throw new Error('invalid');
    let line = `"${clean(name)}" ${decimal(value)} ${timestamp} source="${quote(source)}"`;
    for (const key of Object.keys(tags)) line += ` "${clean(key)}"="${quote(tags[key])}"`;
    this.#lines.push(line);
  }

  /** The body of a request with all that was sent. */
  body() {
    return new TextEncoder().encode(this.#lines.splice(0).join('\n') + '\n');
  }
}

const clean = (name) => (/^[~∆Δ]?[\w\-.,/]+$/.test(name) ? name : name.replace(/[^\w\-.,/~∆Δ]/gu, '-'));
const quote = (text) => {
  const trimmed = text.trim();
  if (!/["\n\u0004\\]/.test(trimmed)) return trimmed;
  return trimmed.replace(/"/g, '\\"').replace(/\n/g, '\\n').replace(/\u0004/g, '-');
};
const decimal = (value) => (Number.isInteger(value) ? `${value}.0` : `${value}`);
