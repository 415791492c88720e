import fp from 'fastify-plugin';
import { type Contract, findReply, type Operation, operationsAt } from '../contract/contract.js';
import { responseHeaders } from './declared-headers.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The operation of the contract that the route answers. */
    operation?: Operation;
  }
  interface FastifyRequest {
    /** The operation that the request reached; for a wrong method, one at the same path; else undefined. */
    operation: Operation | undefined;
  }
}

/** Puts the headers that the contract declares on every reply. */
export const responseHeadersPlugin = fp<{ contract: Contract }>(
  async (app, { contract }) => {
    app.decorateRequest('operation', undefined);

    app.addHook('onRequest', async (request) => {
      request.operation = request.routeOptions.config.operation ?? operationsAt(contract, request.url)[0];
    });

    app.addHook<unknown>('onSend', async (request, reply, payload) => {
      const spec = findReply(contract, request.operation, reply.statusCode);
      if (!spec) return;
      const facts = {
        body: typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : undefined,
        requestId: request.id,
        elapsedMilliseconds: reply.elapsedTime,
        operationsAtPath: () => operationsAt(contract, request.url),
      };
      for (const [name, value] of responseHeaders(spec, facts, (header) => reply.hasHeader(header))) {
        reply.header(name, value);
      }
    });
  },
  { name: 'response-headers' },
);
