export * from './index.js';

/** What the core is made from: something to fetch, an answer to read, bytes, or a module that is compiled already. */
export type Source = string | URL | Request | Response | BufferSource | WebAssembly.Module;

/**
 * Starts the core; to be called, and waited for, before anything else. The second time it does nothing.
 *
 * @param source where the module is: `wavefront-sdk/web` knows by itself, `wavefront-sdk/slim` has to be told.
 */
export default function init(source?: Source | Promise<Response>): Promise<void>;
