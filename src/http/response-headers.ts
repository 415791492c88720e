import { hash } from 'node:crypto';
import fp from 'fastify-plugin';
import { type Contract, findReply, type Operation, type ReplySpec } from '../contract/contract.js';
import { methodsOf } from './operation.js';

/** What computed values are made from. */
type ReplyFacts = {
  body: string | Buffer | undefined;
  requestId: string;
  /** Since the request came in. */
  elapsedMilliseconds: number;
  /** All operations at the request's path; few headers tell them. */
  operationsAtPath(): readonly Operation[];
};

const COMPUTED: { [name: string]: (facts: ReplyFacts) => string } = {
  allow: ({ operationsAtPath }) => methodsOf(operationsAtPath()).join(', '),
  'accept-post': ({ operationsAtPath }) =>
    operationsAtPath()
      .flatMap(({ bodies }) => [...bodies.keys()])
      .join(', '),
  etag: ({ body = '' }) => `W/"${hash('sha256', body, 'hex').slice(0, 32)}"`,
  'x-request-id': ({ requestId }) => requestId,
  'x-runtime': ({ elapsedMilliseconds }) => (elapsedMilliseconds / 1000).toFixed(6),
};

/** Sets the headers that the contract declares for each reply. */
export const responseHeadersPlugin = fp<{ contract: Contract }>(
  async (app, { contract }) => {
    app.addHook<unknown>('onSend', async (request, reply, payload) => {
      const spec = findReply(contract, request.operation, reply.statusCode);
      if (!spec) return;
      const facts = {
        body: typeof payload === 'string' || Buffer.isBuffer(payload) ? payload : undefined,
        requestId: request.id,
        elapsedMilliseconds: reply.elapsedTime,
        operationsAtPath: () => request.routeOptions.config.operationsAtPath ?? [],
      };
      for (const [name, value] of responseHeaders(spec, facts, (header) => reply.hasHeader(header))) {
        reply.header(name, value);
      }
    });
  },
  { name: 'response-headers', dependencies: ['operation'] },
);

/**
 * The headers that the contract declares for a reply: a `const`, a computed value, or a `default` unless the reply has set
 * its own.
 *
 * @param has - whether the reply has set a header
 */
export function responseHeaders(
  reply: ReplySpec,
  facts: ReplyFacts,
  has: (name: string) => boolean = () => false,
): [name: string, value: string][] {
  const headers: [name: string, value: string][] = [];
  for (const [name, schema] of reply.headers) {
    const compute = COMPUTED[name.toLowerCase()];
    if ('const' in schema) headers.push([name, String(schema.const)]);
    else if (compute) headers.push([name, compute(facts)]);
    else if ('default' in schema && !has(name)) headers.push([name, String(schema.default)]);
  }
  return headers;
}
