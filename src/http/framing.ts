import type { IncomingMessage } from 'node:http';
import fp from 'fastify-plugin';
import { HttpError } from '../errors/http-error.js';

/** More than clients send. Node drops fields beyond its own limit without a word, and those that a proxy appends come last. */
const MAX_FIELDS = 1_000;

/** RFC 9110, section 7.2: a host of RFC 3986, or none, and a port. */
const HOST = /^(?:\[[\da-f:.]+\]|[\w.~!$&'()*+,;=%-]*)(?::\d*)?$/i;

/** Refuses requests that a proxy may have read otherwise. */
export const framingPlugin = fp(
  async (app) => {
    app.addHook('onRequest', (request, reply, done) => {
      const status = statusOfFault(request.raw);
      if (!status) return done();
      request.operation = undefined;
      // Another recipient may have read another request.
      if (request.headers['transfer-encoding'] !== undefined) reply.header('connection', 'close');
      done(new HttpError(status));
    });
  },
  { name: 'framing', dependencies: ['response-headers', 'errors'] },
);

/** By RFC 9112. Node accepts these, or its own reply would lack our headers. */
function statusOfFault({ rawHeaders, headers, httpVersion }: IncomingMessage): number | undefined {
  if (rawHeaders.length > 2 * MAX_FIELDS) return 431;
  const { host, 'transfer-encoding': encoding } = headers;
  // Section 3.2. Of several, Node keeps the first in `headers`.
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
  if (hosts.length > 1 || (host === undefined ? httpVersion === '1.1' : !HOST.test(host))) return 400;
  // Section 6.1.
  if (encoding !== undefined && (httpVersion === '1.0' || encoding.trim().toLowerCase() !== 'chunked')) return 400;
  return undefined;
}
