import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import {
  createServedDocument,
  type Document,
  type ServedDocument,
  withHeadersOfEveryReply,
  withoutExtensions,
} from './document.js';
import type { Callers } from './handler.js';

/** A JSON Schema (draft 2020-12) with every `$ref` resolved. */
export type Schema = { [keyword: string]: unknown };

/** One status that an operation may answer. */
export type ReplySpec = {
  status: number;
  /** Undefined where there is no content. */
  mediaType: string | undefined;
  schema: Schema;
  headers: Map<string, Schema>;
  /** Of errors, its `message` and `code` are sent, unless the schema fixes them. */
  example: { [field: string]: unknown } & { message?: string; code?: string };
};

export type BodySpec = { schema: Schema; examples: { summary: string; value: Record<string, string> }[] };

export type Operation = {
  id: string;
  method: string;
  /** As the contract spells it, with `{name}` for a parameter. */
  path: string;
  /** The package that serves this operation; it has no handler. */
  servedBy: string | undefined;
  /** Replies of the files that this package serves below the path, by status. */
  repliesBelow: Map<number, ReplySpec>;
  /** Whether requests compete for the cores: too many at once get 503. */
  hashesPassword: boolean;
  /** The security scheme that a caller needs. Undefined where anybody may call. */
  securityScheme: string | undefined;
  parameters: { path: Schema; query: Schema };
  /** By media type, in the contract's order. Empty where the operation takes no body. */
  bodies: Map<string, BodySpec>;
  /** Whether a request must have a body. */
  needsBody: boolean;
  /** Bytes. */
  maxContentLength: number | undefined;
  replies: Map<number, ReplySpec>;
};

export type Contract = {
  served: ServedDocument;
  /** The same for people: without the headers of every reply. */
  brief: object;
  title: string;
  version: string;
  operations: Operation[];
  /** By their names in the contract. */
  schemas: { [name: string]: Schema };
  /** Replies to a request that reaches no operation, by status. */
  repliesOutsideOperations: Map<number, ReplySpec>;
  /** Headers of every reply where CORS is on. */
  headersAcrossOrigins: Map<string, Schema>;
  /** The request headers that pages of other origins may send. */
  requestHeadersAcrossOrigins: string[];
};

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'patch', 'trace'] as const;

/** The scheme of the application's backend. */
export const ADMIN_SCHEME = 'adminToken' satisfies keyof Callers;

/** Statuses that the service answers by itself, so every operation must declare them. */
const STATUSES_OF_ANY_OPERATION = [405, 500];
const STATUSES_OF_PARAMETERS = [400];
const STATUSES_OF_A_BODY = [400, 413, 415];
const STATUSES_OF_SECURITY = [401];
const STATUSES_OF_HASHING = [503];

/**
 * Reads the contract.
 *
 * @throws Error that names the operation, where this service can't keep it
 */
export function loadContract(url: URL = new URL('../../openapi.yaml', import.meta.url)): Contract {
  const source: Document = parse(readFileSync(url, 'utf8'));
  const document = withHeadersOfEveryReply(source);
  const resolved = resolveReferences(document, document) as ResolvedDocument;
  const operations = Object.entries(resolved.paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = item[method];
      if (!operation) return [];
      const { security = resolved.security } = operation;
      return [readOperation(method, path, { ...operation, security }, item.parameters ?? [])];
    }),
  );
  return {
    served: createServedDocument(document),
    brief: withoutExtensions(source),
    title: resolved.info.title,
    version: resolved.info.version,
    operations,
    schemas: resolved.components.schemas,
    repliesOutsideOperations: readReplies('x-replies-outside-operations', resolved['x-replies-outside-operations']),
    headersAcrossOrigins: readHeaders(resolved['x-headers-across-origins']),
    requestHeadersAcrossOrigins: resolved['x-request-headers-across-origins'],
  };
}

/** @throws Error where the contract has no such operation */
export function operationNamed(contract: Contract, id: string): Operation {
  const operation = contract.operations.find((candidate) => candidate.id === id);
  if (!operation) throw new Error(`openapi.yaml: there is no operation ${id}`);
  return operation;
}

export function operationsByPath({ operations }: Contract): Map<string, Operation[]> {
  const byPath = new Map<string, Operation[]>();
  for (const operation of operations) byPath.set(operation.path, [...(byPath.get(operation.path) ?? []), operation]);
  return byPath;
}

/** The reply that the contract declares for a status of an operation, or of a request that reached none. */
export function findReply(contract: Contract, operation: Operation | undefined, status: number): ReplySpec | undefined {
  if (!operation) return contract.repliesOutsideOperations.get(status);
  return operation.replies.get(status) ?? operation.repliesBelow.get(status);
}

// What is read of an OpenAPI 3.1 document with its references resolved. Redocly's lint has checked the shape.
type ResolvedDocument = {
  info: { title: string; version: string };
  security: SecurityRequirement[];
  paths: Record<string, ResolvedPathItem>;
  components: { schemas: Record<string, Schema> };
  'x-replies-outside-operations': Record<string, ResolvedReply>;
  'x-headers-across-origins': ResolvedHeaders;
  'x-request-headers-across-origins': string[];
};
type ResolvedPathItem = { parameters?: ResolvedParameter[] } & Partial<
  Record<(typeof METHODS)[number], ResolvedOperation>
>;
type SecurityRequirement = { [scheme: string]: string[] };
type ResolvedOperation = {
  operationId: string;
  security?: SecurityRequirement[];
  'x-served-by'?: string;
  'x-hashes-password'?: boolean;
  'x-replies-below'?: Record<string, ResolvedReply>;
  parameters?: ResolvedParameter[];
  requestBody?: { required?: boolean; 'x-max-content-length'?: number; content: Record<string, ResolvedBody> };
  responses: Record<string, ResolvedReply>;
};
type ResolvedBody = { schema: Schema; examples?: Record<string, BodySpec['examples'][number]> };
type ResolvedParameter = { name: string; in: string; required?: boolean; schema: Schema };
type ResolvedHeaders = Record<string, { schema: Schema }>;
type ResolvedReply = {
  headers?: ResolvedHeaders;
  content?: Record<string, { schema?: Schema; example?: ReplySpec['example'] }>;
};

function readOperation(
  method: string,
  path: string,
  operation: ResolvedOperation,
  pathParameters: ResolvedParameter[],
): Operation {
  const { operationId: id, requestBody } = operation;
  const parameters = [...pathParameters, ...(operation.parameters ?? [])];
  const replies = readReplies(id, operation.responses);
  const securityScheme = readSecurity(id, operation.security);
  const required = [
    ...STATUSES_OF_ANY_OPERATION,
    ...(parameters.some(({ in: location }) => location !== 'header') ? STATUSES_OF_PARAMETERS : []),
    ...(requestBody ? STATUSES_OF_A_BODY : []),
    ...(securityScheme === undefined ? [] : STATUSES_OF_SECURITY),
    ...(operation['x-hashes-password'] ? STATUSES_OF_HASHING : []),
  ];
  for (const status of required) {
    if (!replies.has(status)) throw new Error(`openapi.yaml: operation ${id} must declare status ${status}`);
  }
  if (requestBody && !requestBody['x-max-content-length']) {
    throw new Error(`openapi.yaml: the requestBody of operation ${id} must declare x-max-content-length`);
  }
  return {
    id,
    method: method.toUpperCase(),
    path,
    servedBy: operation['x-served-by'],
    repliesBelow: readReplies(id, operation['x-replies-below'] ?? {}),
    hashesPassword: operation['x-hashes-password'] ?? false,
    securityScheme,
    parameters: {
      path: parametersSchema(parameters, 'path'),
      // A misspelt filter of the application is an error. Browsers and proxies add parameters of their own.
      query: { ...parametersSchema(parameters, 'query'), additionalProperties: securityScheme !== ADMIN_SCHEME },
    },
    bodies: new Map(
      Object.entries(requestBody?.content ?? {}).map(([mediaType, { schema, examples = {} }]) => [
        mediaType,
        { schema, examples: Object.values(examples) },
      ]),
    ),
    needsBody: requestBody?.required ?? false,
    maxContentLength: requestBody?.['x-max-content-length'],
    replies,
  };
}

/** @throws Error for what is not implemented: alternatives, combinations and scopes */
function readSecurity(id: string, [requirement, ...alternatives]: SecurityRequirement[] = []): string | undefined {
  if (!requirement) return undefined;
  const [[scheme, scopes] = [undefined, []], ...more] = Object.entries(requirement);
  if (scheme !== undefined && alternatives.length + more.length + scopes.length === 0) return scheme;
  throw new Error(`openapi.yaml: the security of operation ${id} must be one scheme, without scopes`);
}

function readReplies(owner: string, responses: Record<string, ResolvedReply>): Map<number, ReplySpec> {
  return new Map(
    Object.entries(responses).map(([code, { headers = {}, content = {} }]) => {
      const status = Number(code);
      const media = Object.entries(content);
      if (!Number.isInteger(status) || media.length > 1) {
        throw new Error(
          `openapi.yaml: reply ${code} of ${owner} needs a number as its status, and at most one media type`,
        );
      }
      const [[mediaType, { schema = {}, example = {} }] = [undefined, {}]] = media;
      return [status, { status, mediaType, schema, headers: readHeaders(headers), example }];
    }),
  );
}

function readHeaders(headers: ResolvedHeaders): Map<string, Schema> {
  return new Map(Object.entries(headers).map(([name, { schema }]) => [name, schema]));
}

function parametersSchema(parameters: ResolvedParameter[], location: 'path' | 'query'): Schema {
  const own = parameters.filter((parameter) => parameter.in === location);
  return {
    type: 'object',
    required: own.filter(({ required }) => required).map(({ name }) => name),
    properties: Object.fromEntries(own.map(({ name, schema }) => [name, schema])),
  };
}

/** Replaces each `$ref` by its target in the same document (RFC 6901). */
function resolveReferences(node: unknown, document: unknown, within: readonly string[] = []): unknown {
  if (Array.isArray(node)) return node.map((item) => resolveReferences(item, document, within));
  if (!isObject(node)) return node;
  const reference = node.$ref;
  if (typeof reference !== 'string') {
    return Object.fromEntries(
      Object.entries(node).map(([key, value]) => [key, resolveReferences(value, document, within)]),
    );
  }
  if (within.includes(reference)) throw new Error(`openapi.yaml: ${reference} refers to itself`);
  const keys = reference.split('/').slice(1);
  const target = keys
    .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((parent, key) => (isObject(parent) ? parent[key] : undefined), document);
  if (target === undefined) throw new Error(`openapi.yaml: ${reference} points to nothing`);
  return resolveReferences(target, document, [...within, reference]);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
