import { METHODS } from 'node:http';
import fastJsonStringify from 'fast-json-stringify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type Contract, type Operation, operationsByPath, type Schema } from '../contract/contract.js';
import type { Client } from '../contract/handler.js';
import { compileSchema, createTextReader, type Validate } from '../contract/validation.js';
import { HttpError, type LogFields } from '../errors/http-error.js';
import { methodsOf } from './operation.js';

type AnyReply = { status: number; body: unknown; headers?: { [name: string]: string | number }; log?: LogFields };
type AnyHandler = (input: unknown, services: object) => AnyReply | Promise<AnyReply>;

type RoutesOptions = {
  contract: Contract;
  /** By operationId. */
  handlers: object;
  /** What handlers need beside their input. */
  services: object;
};

/** Characters: a client chooses its User-Agent, and each session stores it. */
const USER_AGENT_MAX_LENGTH = 255;

/**
 * Makes a route of each operation, and one that answers 405 for all other methods of its path.
 *
 * @throws Error where operations and handlers differ
 */
export const routesPlugin = fp<RoutesOptions>(
  async (app, { contract, handlers, services }) => {
    // The compiler has checked each handler; the table of all has no common type.
    const handlerById = new Map(Object.entries(handlers as { [id: string]: AnyHandler }));
    const methodsWithBody = contract.operations.flatMap(({ method, bodies }) => (bodies.size > 0 ? [method] : []));
    for (const method of METHODS) {
      // CONNECT does not reach the router.
      if (method === 'CONNECT' || methodsWithBody.includes(method)) continue;
      // Their bodies are ignored.
      app.addHttpMethod(method, { overrideExisting: true });
    }

    const compile = oncePerSchema(compileSchema);
    const compileSerializer = oncePerSchema((schema) => fastJsonStringify(schema));

    for (const [path, operations] of operationsByPath(contract)) {
      // A parameter must not be empty, which the router would allow. A line break is for its schema to refuse.
      const url = path.replaceAll(/\{([^}]+)\}/g, ':$1(^[^]+$)');
      for (const operation of operations.filter(({ servedBy }) => !servedBy)) {
        const handler = handlerById.get(operation.id);
        if (!handler) throw new Error(`openapi.yaml: operation ${operation.id} has no handler`);
        handlerById.delete(operation.id);
        app.route({
          method: operation.method,
          url,
          config: { operation, operationsAtPath: operations },
          ...(operation.maxContentLength && { bodyLimit: operation.maxContentLength }),
          schema: routeSchema(operation),
          validatorCompiler: ({ schema, httpPart, contentType }) =>
            createValidator(schema, compile(schema), httpPart === 'body' && contentType === 'application/json'),
          serializerCompiler: ({ schema }) => compileSerializer(schema),
          handler: createRouteHandler(operation, handler, services),
        });
      }
      app.route({
        method: app.supportedMethods.filter((method) => !methodsOf(operations).includes(method)),
        url,
        exposeHeadRoute: false,
        config: { operationsAtPath: operations },
        async handler() {
          throw new HttpError(405);
        },
      });
    }

    const [left] = handlerById.keys();
    if (left !== undefined) throw new Error(`handler ${left} has no operation in openapi.yaml`);

    app.addHook('onReady', async () => {
      for (const { id, method, path, servedBy } of contract.operations) {
        if (servedBy && !app.hasRoute({ method, url: path })) {
          throw new Error(`openapi.yaml: operation ${id} is not served by ${servedBy}`);
        }
      }
    });
  },
  {
    name: 'routes',
    dependencies: ['client-address', 'operation', 'response-headers', 'errors', 'framing', 'authentication', 'body'],
  },
);

/** Operations share most of their schemas, as that of errors. To compile one takes milliseconds. */
function oncePerSchema<Compiled>(compile: (schema: Schema) => Compiled): (schema: object) => Compiled {
  const compiledByText = new Map<string, Compiled>();
  return (schema) => {
    const text = JSON.stringify(schema);
    const compiled = compiledByText.get(text) ?? compile({ ...schema });
    compiledByText.set(text, compiled);
    return compiled;
  };
}

/** Only JSON has types: the values of path, query and forms are text. */
function createValidator(schema: object, validate: Validate, isJson: boolean) {
  const read = isJson ? (received: unknown) => received : createTextReader({ ...schema });
  return (received: unknown) => {
    const value = read(received);
    const errors = validate(value);
    const whole = errors.find(({ field }) => field === '');
    if (whole) return { error: new HttpError(400, `The body ${whole.message}`) };
    return errors.length > 0 ? { error: new HttpError(400, '', { errors }) } : { value };
  };
}

function createRouteHandler({ id, replies }: Operation, handler: AnyHandler, services: object) {
  return async (request: FastifyRequest, reply: FastifyReply) => {
    const { status, body, headers = {}, log } = await handler(inputOf(request, reply), services);
    const spec = replies.get(status);
    if (!spec) throw new Error(`operation ${id} answered ${status}, which openapi.yaml does not declare`);
    Object.assign(request.logFields, log);
    reply.headers(headers);
    // Fastify adds the charset.
    if (spec.mediaType) reply.type(spec.mediaType);
    return reply.code(status).send(body);
  };
}

function routeSchema({ bodies, parameters, replies }: Operation) {
  return {
    ...(bodies.size > 0 && { body: { content: Object.fromEntries(bodies) } }),
    params: parameters.path,
    querystring: parameters.query,
    response: Object.fromEntries([...replies].map(([status, { schema }]) => [status, schema])),
  };
}

function inputOf(request: FastifyRequest, { raw }: FastifyReply) {
  const { body, params, query, caller, clientAddress, headers } = request;
  const client: Client = {
    address: clientAddress,
    userAgent: headers['user-agent']?.slice(0, USER_AGENT_MAX_LENGTH),
    hasHungUp: () => raw.destroyed,
    // Not Fastify's own signal: that aborts as soon as the body has been read.
    onHangUp(listener) {
      raw.once('close', listener);
      return () => raw.off('close', listener);
    },
  };
  return { body, path: params, query, caller, client, origin: () => originOf(request) };
}

/** Where the proxy is trusted (`TRUST_PROXY`), by its X-Forwarded-Proto and X-Forwarded-Host. */
function originOf({ protocol, host }: FastifyRequest): string | undefined {
  const url = `${protocol}://${host}`;
  return /^https?$/.test(protocol) && URL.canParse(url) ? new URL(url).origin : undefined;
}
