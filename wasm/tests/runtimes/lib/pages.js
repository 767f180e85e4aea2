// A server of pages, with as strict a policy as a page with WebAssembly can have.

import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { serve } from "./server.js";

/** What a site may ask for at most that uses the package: no inline scripts, no eval, no other origin's code. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self'",
  "worker-src 'self'",
  "connect-src 'self' http://127.0.0.1:*",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
].join("; ");

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".map": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Serves folders: `folders` says which one stands at which path, `{"/sdk/": "…", "/": "…"}`; the first match wins. */
export async function servePages(folders) {
  const missing = [];
  const { url, stop } = await serve(async (request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://page").pathname));
    const [prefix, folder] = Object.entries(folders).find(([prefix]) => path.startsWith(prefix)) ?? [];
    const file = folder && join(folder, path.slice(prefix.length) || "index.html");
    const type = file && TYPES[extname(file)];
    const body = type && (await readFile(file).catch(() => null));
    if (!body) {
      if (path !== "/favicon.ico") missing.push(path);
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      "content-type": type,
      "content-security-policy": POLICY,
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
    });
    response.end(body);
  });

  return {
    url,
    /** What was asked for and is not there. */
    missing,
    stop,
  };
}
