// An HTTP server of a test's own, on a port of its own.

import { once } from "node:events";
import { createServer } from "node:http";

/** Starts it; `handler` is what `createServer` wants. */
export async function serve(handler) {
  const server = createServer(handler);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
