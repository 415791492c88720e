import { createHash } from 'node:crypto';
import type { ReplySpec } from './contract.js';

/** What the values of headers that are not fixed are made from. */
export type ReplyFacts = {
  body: string | Buffer | undefined;
  requestId: string;
  /** Since the request came in. */
  elapsedMilliseconds: number;
  /** The methods that the path knows. */
  methods: readonly string[];
  /** The media types that the path reads. */
  mediaTypes: readonly string[];
};

const COMPUTED: { [name: string]: (facts: ReplyFacts) => string } = {
  allow: ({ methods }) => methods.join(', '),
  'accept-post': ({ mediaTypes }) => mediaTypes.join(', '),
  etag: ({ body = '' }) => `W/"${createHash('sha256').update(body).digest('hex').slice(0, 32)}"`,
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
  return [...reply.headers].flatMap(([name, schema]): [string, string][] => {
    if ('const' in schema) return [[name, String(schema.const)]];
    const compute = COMPUTED[name.toLowerCase()];
    if (compute) return [[name, compute(facts)]];
    return 'default' in schema && !has(name) ? [[name, String(schema.default)]] : [];
  });
}

/** The facts about a path that its 405 and its 415 tell. A path that knows GET knows HEAD. */
export function factsOfPath(operations: readonly { method: string; bodies: ReadonlyMap<string, unknown> }[]) {
  return {
    methods: operations.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])),
    mediaTypes: operations.flatMap(({ bodies }) => [...bodies.keys()]),
  };
}
