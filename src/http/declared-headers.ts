import { hash } from 'node:crypto';
import type { Operation, ReplySpec } from '../contract/contract.js';

/** What the values of headers that are not fixed are made from. */
export type ReplyFacts = {
  body: string | Buffer | undefined;
  requestId: string;
  /** Since the request came in. */
  elapsedMilliseconds: number;
  /** What the path knows; few headers tell it. */
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

/**
 * The headers that the contract declares for a reply: a `const` as it stands there, the others computed. One with a
 * `default` carries it, unless the reply has set its own value before.
 *
 * @param has - tells whether the reply has set a header
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

/** The methods that a path with these operations knows: with GET also HEAD. */
export function methodsOf(operations: readonly Operation[]): string[] {
  return operations.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]));
}
