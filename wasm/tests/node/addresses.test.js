// The package's own reader of addresses against that of the Rust crate, which left what it makes of them in `NATIVE_ADDRESSES`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { endpoint, overTcp } from '../../js/endpoint.js';

const rows = readFileSync(process.env.NATIVE_ADDRESSES, 'utf8').split('\n').map((line) => JSON.parse(line));

function goes(address, token) {
  try {
    const { targets, direct } = endpoint(address, token, overTcp);
    assert.equal(direct, Boolean(targets[0].token));
    return targets.map(({ url, contentType, token = null, hostname, port, tls }) => (url ? [url, contentType, token] : [hostname, port, tls]));
  } catch (error) {
    assert.equal(error.code, 'endpoint', error.stack);
    // Nothing that could be a secret is repeated.
    assert.doesNotMatch(error.message, /s3cret|%40/);
    return null;
  }
}

test('an address means what it means to the crate, or is refused as there', () => {
  assert.ok(rows.length > 10_000);
  for (const [address, token, expected] of rows) assert.deepEqual(goes(address, token), expected, JSON.stringify([address, token]));
});

test('lines over TCP need sockets', () => {
  assert.throws(() => endpoint('tcp://localhost', '', undefined), { code: 'endpoint', field: 'server' });
});
