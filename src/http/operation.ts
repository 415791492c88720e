import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Operation } from '../contract/contract.js';
import type { LogFields } from '../errors/http-error.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The operation of the contract that the route answers. */
    operation?: Operation;
    /** All operations at the route's path. */
    operationsAtPath?: readonly Operation[];
  }
  interface FastifyRequest {
    /** Undefined where the request reached none. */
    operation: Operation | undefined;
    /** What the operation, or its failure, adds to the request's line in the log. */
    logFields: LogFields;
  }
}

/** Sets the operation that a request has reached. */
export const operationPlugin = fp(
  async (app) => {
    app.decorateRequest('operation');
    app.decorateRequest('logFields');
    app.addHook('onRequest', (request, _reply, done) => {
      request.operation = request.routeOptions.config.operation;
      request.logFields = {};
      done();
    });
  },
  { name: 'operation', dependencies: ['client-address'] },
);

/** What the log and the metrics record of a request. */
export function describeRequest(request: FastifyRequest): LogFields & { operationId?: string; ip: string } {
  const { operation, clientAddress: ip, logFields } = request;
  return { ...(operation && { operationId: operation.id }), ip, ...logFields };
}

/** The methods of a path with these operations: with GET also HEAD. */
export function methodsOf(operations: readonly Operation[]): string[] {
  return operations.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
}
