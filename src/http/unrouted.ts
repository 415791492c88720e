import fp from 'fastify-plugin';
import { HttpError } from '../errors/http-error.js';

/** Refuses what reaches no operation, before the body is read: nothing will ever use it. */
export const unroutedPlugin = fp(
  async (app) => {
    app.addHook('onRequest', async (request) => {
      // RFC 9112, section 3.2. Node would answer it by itself, with no header of ours.
      if (request.headers.host === undefined && request.raw.httpVersion === '1.1') {
        request.operation = undefined;
        throw new HttpError(400);
      }
      // There is no route, or one that is no operation's: @fastify/cors has one for OPTIONS.
      if (!request.routeOptions.config.operation) throw new HttpError(request.operation ? 405 : 404);
    });
  },
  { name: 'unrouted', dependencies: ['response-headers', 'errors'] },
);
