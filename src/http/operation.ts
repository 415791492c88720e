import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Operation } from '../contract/contract.js';
import type { LogFields } from '../errors/http-error.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The operation of the contract that the route answers; for a method that its path does not know, the path's first. */
    operation?: Operation;
    /** All operations at the route's path. */
    operationsAtPath?: readonly Operation[];
    methodNotAllowed?: boolean;
  }
  interface FastifyRequest {
    /** Undefined where the request reached none. */
    operation: Operation | undefined;
    methodNotAllowed: boolean;
    /** What the operation, or its failure, adds to the request's line in the log. */
    logFields: LogFields;
  }
}

/** Sets the operation that a request has reached. */
export const operationPlugin = fp(
  async (app) => {
    app.decorateRequest('operation');
    app.decorateRequest('methodNotAllowed', false);
    app.decorateRequest('logFields');
    app.addHook('onRequest', (request, _reply, done) => {
      const { operation, methodNotAllowed = false } = request.routeOptions.config;
      request.operation = operation;
      request.methodNotAllowed = methodNotAllowed;
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
