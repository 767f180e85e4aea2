// A receiver of a test's own, and what is true of every ledger.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';

/** A receiver that answers what `answer(request, count)` says. */
export async function receiver(answer = () => undefined) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    requests.push({ url: request.url, headers: request.headers, body: Buffer.concat(chunks) });
    const [status, headers] = (await answer(request, requests.length)) ?? [202];
    response.writeHead(status, headers).end('said the receiver');
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, requests, close: () => (server.closeAllConnections(), server.close()) };
}

/** Every line is somewhere. */
export const balanced = ({ total }) => {
  const dropped = Object.values(total.dropped).reduce((a, b) => a + b);
  const here = total.queued + total.inFlight + total.written + total.stored;
  assert.equal(total.accepted + total.recovered, total.delivered + total.doubtful + dropped + here);
};
