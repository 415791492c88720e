import fp from 'fastify-plugin';
import { HttpError } from '../errors/http-error.js';

/** Refuses requests that reach no operation, before the body is read. */
export const unroutedPlugin = fp(
  async (app) => {
    app.addHook('onRequest', async (request) => {
      // RFC 9112, section 3.2. Node's own reply would lack our headers.
      if (request.headers.host === undefined && request.raw.httpVersion === '1.1') {
        request.operation = undefined;
        throw new HttpError(400);
      }
      if (!request.operation) throw new HttpError(404);
      if (request.routeOptions.config.methodNotAllowed) throw new HttpError(405);
    });
  },
  { name: 'unrouted', dependencies: ['response-headers', 'errors'] },
);
