// Where lines go: the URL of a sender, by the rules of `Endpoint` in the Rust crate, and as strictly. What an address of IP is,
// the runtime knows.

import { WavefrontError } from './error.js';

// By scheme, the usual port.
const SCHEMES = { https: 443, http: 80, proxy: 2878, tcp: 2878, 'tcp+tls': 2878 };

// The paths of requests, and the ports of lines, by kind.
const FORMATS = ['wavefront', 'wavefront', 'histogram', 'trace', 'spanLogs', 'event'];
const PORTS = ['metrics', 'metrics', 'histograms', 'traces', 'traces', 'metrics'];

const NAME = /^(?=.{1,253}$)(\w([\w-]{0,61}\w)?(\.|$))+$/;
const PATH = /^[\w/\-.~!$&'()*+,;=:@%]*$/;
const DOTS = /(^|\/)\.\.?(\/|$)/;
// Resolvers make addresses of these.
const NUMBER = /(^|\.)(0x[^.]*|\d+)\.?$/i;
const HERE = /^(127\.[\d.]+|\[::(1|ffff:7f..:[\da-f]+)\]|(.*\.)?localhost\.?)$/;

function refuse(what) {
  throw new WavefrontError('endpoint', `server: ${what}`, { field: 'server', problem: 'malformed' });
}

// The host as the runtime writes it, where it takes it.
function canonical(host) {
  try {
    return new URL(`http://${host}`).hostname;
  } catch {}
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    refuse('after a % come two hex digits');
  }
}

// The host in small letters, and whether it is this machine.
function hostOf(text) {
  const host = text.toLowerCase();
  let shown = host;
  let good = NAME.test(host);
  if (host[0] === '[') {
    shown = canonical(host);
    good = shown && /^[[\]\da-f:.]+$/.test(host);
  } else if (NUMBER.test(host)) {
    // All four numbers, as anybody would write them.
    good = /^[\d.]+$/.test(host) && canonical(host) === host;
  }
  if (!good) refuse('the host is no name in ASCII and no IP address');
  return [host, HERE.test(shown)];
}

const portOf = (text) => (/^\d+$/.test(text) && +text > 0 && +text < 65536 ? +text : refuse('a port is a number from 1 to 65535'));

const trimmed = (text) => text.replace(/^[\t\n\f\r ]+|[\t\n\f\r ]+$/g, '');

function tokenOf(text) {
  const token = trimmed(text);
  return /^[!-~]+$/.test(token) ? token : refuse('a token is visible ASCII without spaces');
}

// For each kind, what a request or a connection needs; and whether it is direct ingestion. `tcp` is `overTcp` where there are
// sockets.
export function endpoint(server, secret, tcp) {
  const [, name, rest] = /^([^:]*):\/\/(.*)$/s.exec(trimmed(server)) ?? [, ''];
  const scheme = name.toLowerCase();
  if (!Object.hasOwn(SCHEMES, scheme)) refuse('it begins with https://, http://, proxy:// or tcp://');
  if (rest.includes('#')) refuse('it has a #: in a token write it as %23');
  const [, authority, path, query] = /^([^/?]*)([^?]*)\??(.*)$/s.exec(rest);
  const [, , user, address, digits] = /^((.*)@)?(\[[^\]]*\]|[^:@]*)(?::([^@]*))?$/s.exec(authority) ?? hostOf('');
  const [host, here] = hostOf(address);
  const port = digits === undefined ? SCHEMES[scheme] : portOf(digits);
  if (!PATH.test(path) || DOTS.test(path)) refuse('the path has a character that no path has, or . or ..');
  decoded(path);
  const base = path.replace(/\/+$/, '');
  const lines = scheme.startsWith('tcp');
  const tls = /s$/.test(scheme);
  if (!lines && /[^&]/.test(query)) refuse('only tcp:// has a query');
  let token;
  if (user !== undefined) {
    token = tokenOf(/[:@]/.test(user) ? refuse('only the token stands before the @') : decoded(user));
    if (scheme === 'proxy') refuse('a proxy takes no token');
  }
  if (secret) token = tokenOf(secret);
  if (token && lines) refuse('a proxy takes no token');
  if (token && !tls && !here) refuse('with a token use https://: anybody could read it');
  if (lines) {
    if (base) refuse('tcp:// has no path');
    if (!tcp) refuse('there is no TCP here: use https:// or http://');
    return { targets: tcp(host.replace(/[[\]]/g, ''), port, tls, query), direct: false };
  }
  const to = `http${tls ? 's' : ''}://${host}${port === (tls ? 443 : 80) ? '' : `:${port}`}${base}`;
  const targets = FORMATS.map((format) =>
    token && format === 'event'
      ? { url: `${to}/api/v2/event`, contentType: 'application/json', token }
      : { url: `${to}/report?f=${format}`, contentType: 'application/octet-stream', token },
  );
  return { targets, direct: token !== undefined };
}

// The same of a proxy's lines over TCP, which can have ports of their own.
export function overTcp(hostname, port, tls, query) {
  const ports = { metrics: port };
  for (const pair of query.split('&').filter(Boolean)) {
    const [, key, value] = /^([^=]*)=?(.*)$/s.exec(pair);
    if (!['traces', 'histograms'].includes(key) || ports[key]) refuse('the query of tcp:// is traces=PORT and histograms=PORT');
    ports[key] = portOf(value);
  }
  const all = { histograms: port, traces: 30_000, ...ports };
  return PORTS.map((name) => ({ hostname, port: all[name], tls }));
}
