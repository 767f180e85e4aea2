// What goes wrong, as an Error with a code.

export class WavefrontError extends Error {
  constructor(code, message, details) {
    super(message);
    Object.assign(this, { name: 'WavefrontError', code, ...details });
  }
}

// What the core's negative numbers mean.
const CODES = [, 'invalid', 'queue-full', 'store-full', 'too-large', 'closed', 'unsupported'];

export const ofCode = (number, message, field, problem) =>
  new WavefrontError(CODES[-number] ?? 'closed', message, field && { field, problem });

export const malformed = (field, expected) =>
  new WavefrontError('invalid', `${field} is not ${expected}`, { field, problem: 'malformed' });

export const badOption = (name, expected) => new WavefrontError('option', `${name} has to be ${expected}`, { field: name });
