// What goes wrong, as an Error with a code.

export class WavefrontError extends Error {
  constructor(code, message, details) {
    super(message);
    this.name = 'WavefrontError';
    this.code = code;
    Object.assign(this, details);
  }
}

// What the core's negative numbers mean.
const CODES = [, 'invalid', 'queue-full', 'store-full', 'too-large', 'closed', 'unsupported'];

export function ofCode(number, message, field, problem) {
  const code = CODES[-number] ?? 'closed';
  return new WavefrontError(code, message, field ? { field, problem } : undefined);
}

export const malformed = (field, expected) =>
  new WavefrontError('invalid', `${field} is not ${expected}`, { field, problem: 'malformed' });

export const badOption = (name, expected) => new WavefrontError('option', `${name} has to be ${expected}`, { field: name });
