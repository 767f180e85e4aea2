// One batch over TCP lines, in Cloudflare's workers: a connection of its own, as none outlives its request.
//
// A receiver of lines answers nothing. But it ends its side once it has read to the end of ours: that is waited for, so
// that a batch counts as delivered when it was read, not when it was written.

import { connect } from 'cloudflare:sockets';

// What became of it: see `answer` of the core.
const [DELIVERED, NO_CONNECTION, NO_ANSWER, BROKEN] = [[0], [1], [2], [3]];

export async function send({ hostname, port, tls }, { body }, timeoutMs) {
  let socket, timer, outcome = NO_CONNECTION;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, timeoutMs, NO_ANSWER);
  });
  const sent = async () => {
    // Without half of it open, the end of our side would be the end of theirs.
    socket = connect({ hostname, port }, { secureTransport: tls ? 'on' : 'off', allowHalfOpen: true });
    // Said by what follows.
    socket.closed.catch(() => {});
    await socket.opened;
    outcome = BROKEN;
    const writer = socket.writable.getWriter();
    await writer.write(body);
    await writer.close();
    const reader = socket.readable.getReader();
    while (!(await reader.read()).done);
    return DELIVERED;
  };
  try {
    return await Promise.race([sent().catch(() => outcome), late]);
  } finally {
    clearTimeout(timer);
    // Not waited for: it need not come.
    socket?.close().catch(() => {});
  }
}
