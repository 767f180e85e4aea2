// An HTTP server between a runtime and the collector: it notes what the requests were, and may answer in its stead.

import { request as forward } from "node:http";
import { serve } from "./server.js";

/** Starts a relay to `collector`. */
export async function startRelay(collector) {
  const seen = [];
  let instead = () => null;

  const { url, stop } = await serve(async (request, response) => {
    const pieces = [];
    try {
      for await (const piece of request) pieces.push(piece);
    } catch {
      return; // Given up by its sender.
    }
    const body = Buffer.concat(pieces);
    const { method, url, headers } = request;
    const note = { method, url, headers, body };
    seen.push(note);
    const answer = method === "OPTIONS" ? null : await instead(note);
    if (answer) {
      // An answer that the page may read.
      const origin = { "access-control-allow-origin": "*", "access-control-expose-headers": "Retry-After" };
      response.writeHead(answer.status, { ...origin, ...answer.headers }).end();
      return;
    }
    const to = forward({ host: "127.0.0.1", port: collector.port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    to.on("error", () => response.destroy());
    to.end(body);
  });

  return {
    url,
    /** The requests so far: `{method, url, headers, body}`. */
    seen,
    posts: () => seen.filter((note) => note.method === "POST"),
    /** From now on `answer(note)` gives `{status, headers}`, or null where the collector is to answer. */
    answer(answer) {
      instead = answer;
    },
    stop,
  };
}
