import fp from 'fastify-plugin';
import { HttpError } from '../errors/http-error.js';

/** Refuses requests that reach no operation, before the body is read. */
export const unroutedPlugin = fp(
  async (app) => {
    app.addHook('onRequest', (request, _reply, done) => {
      // RFC 9112, section 3.2. Node's own reply would lack our headers.
      if (request.headers.host === undefined && request.raw.httpVersion === '1.1') {
        request.operation = undefined;
        return done(new HttpError(400));
      }
      if (!request.operation) return done(new HttpError(404));
      done(request.methodNotAllowed ? new HttpError(405) : undefined);
    });
  },
  { name: 'unrouted', dependencies: ['response-headers', 'errors'] },
);
