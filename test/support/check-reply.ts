import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { parse } from 'yaml';
import type { Reply, Request } from './send.js';

// Reads openapi.yaml on its own, without the code of src/ that it holds to it. What the document may hold is open.
// biome-ignore lint/suspicious/noExplicitAny: a parsed YAML document has no type until it is checked
type Node = any;

const document: Node = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8'));
const OUTSIDE = 'x-replies-outside-operations';
const BELOW = 'x-replies-below';
const OF_EVERY_REPLY = 'x-headers-of-every-reply';
const ACROSS_ORIGINS = 'x-headers-across-origins';
const PREFLIGHT_STATUS = 204;
/** Headers of the connection and not of the reply; and Content-Type, which the media type declares. */
const UNDECLARED = ['content-type', 'date', 'connection', 'keep-alive'];

/**
 * Compares a reply with openapi.yaml, and returns all violations.
 *
 * @param outside - whether the request was one that reaches no operation although its path has one, as one that is not
 *   HTTP
 * @param acrossOrigins - whether the service lists origins, whose pages may read its replies
 */
export function checkReply(
  request: Request,
  reply: Reply,
  { outside = false, acrossOrigins = false }: CheckOptions = {},
): string[] {
  const { method = 'GET', path } = request;
  const preflight = acrossOrigins && isPreflight(request) && reply.status === PREFLIGHT_STATUS;
  const operation = outside || preflight ? undefined : operationFor(method, path, reply.status);
  const spec = replySpec(operation, reply.status);
  if (!spec || (reply.status === PREFLIGHT_STATUS && !preflight && !operation)) {
    return [`status ${reply.status} is not declared for ${method} ${path}`];
  }
  if (acrossOrigins) spec.headers = { ...spec.headers, ...strict(document[ACROSS_ORIGINS]) };
  return [...checkHeaders(spec, reply), ...(method === 'HEAD' ? checkNoBody(reply) : checkBody(spec, reply))];
}

export type CheckOptions = { outside?: boolean; acrossOrigins?: boolean };

/** What a browser asks of a path of the contract before it sends. */
function isPreflight({ method, path, headers = {} }: Request): boolean {
  const asks = headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
  return method === 'OPTIONS' && asks && operationFor(method, path) !== undefined;
}

/** The operation that a request reaches; for a method that its path does not know, the first one of the path. */
function operationFor(method: string, path: string, status?: number): Node {
  const target = path.split('?', 1)[0] ?? '';
  const item = document.paths[target] ?? itemWithParameters(target);
  if (!item) return operationServingBelow(target, status);
  const asked = method === 'HEAD' ? 'get' : method.toLowerCase();
  const [first] = Object.keys(item).filter((key) => key !== 'parameters');
  return item[asked] ?? (first && { responses: { 405: item[first].responses['405'] } });
}

/** The item whose path has a parameter in place of a segment. */
function itemWithParameters(target: string): Node {
  const matches = (path: string) => new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`).test(target);
  return Object.entries<Node>(document.paths).find(([path]) => path.includes('{') && matches(path))?.[1];
}

/** Of the files that a package serves below its operation's path; where there is no such file, it is outside. */
function operationServingBelow(target: string, status = 200): Node {
  const above = Object.entries<Node>(document.paths).find(([path, { get }]) => {
    return get?.[BELOW]?.[status] && target.startsWith(`${path}/`);
  });
  return above && { ...above[1].get, responses: above[1].get[BELOW] };
}

function replySpec(operation: Node, status: number): Node {
  const declared = (operation?.responses ?? document[OUTSIDE])[status];
  if (!declared) return undefined;
  const spec = strict(declared);
  // A reply that is referred to has only what every reply of any operation has.
  const sets = [document, ...(declared.$ref ? [] : [operation ?? {}])].map((owner) =>
    strict(owner[OF_EVERY_REPLY] ?? {}),
  );
  const headers = Object.assign({}, ...sets.flatMap(({ before, after }) => [before, after]), spec.headers);
  if (!spec.content && !spec.headers?.['Content-Length']) delete headers['Content-Length'];
  return { ...spec, headers };
}

/** Puts in place of each reference what it points to, and closes each object to members that it does not declare. */
function strict(node: Node): Node {
  if (Array.isArray(node)) return node.map(strict);
  if (typeof node !== 'object' || node === null) return node;
  if (node.$ref) {
    const keys = node.$ref.slice(2).split('/');
    return strict(keys.reduce((parent: Node, key: string) => parent[key], document));
  }
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, strict(value)]));
  return copy.type === 'object' ? { additionalProperties: false, ...copy } : copy;
}

function checkHeaders(spec: Node, { headers, rawHeaders }: Reply): string[] {
  const declared = new Map<string, Node>(
    Object.entries<Node>(spec.headers).map(([name, header]) => [name.toLowerCase(), header]),
  );
  const names = rawHeaders.map((name) => name.toLowerCase());
  return [
    ...names.filter((name) => !declared.has(name) && !UNDECLARED.includes(name)).map((name) => `${name} is undeclared`),
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `${name} is sent twice`),
    ...[...declared].flatMap(([name, { required, schema }]) => {
      const text = headers[name];
      if (text === undefined) return required ? [`${name} is missing`] : [];
      const value = schema.type === 'integer' && /^\d+$/.test(text) ? Number(text) : text;
      return violations(schema, value).map((violation) => `${name} ${violation}`);
    }),
  ];
}

function checkBody(spec: Node, { headers, body }: Reply): string[] {
  if (!spec.content) return headers['content-type'] || body ? ['there is content'] : [];
  const [[mediaType, { schema = {} }]] = Object.entries<Node>(spec.content) as [[string, Node]];
  // Files of any type, which may be no text.
  if (mediaType === '*/*') return [];
  const faults: string[] = [];
  const contentType = mediaType.match(/json$|^text\//) ? `${mediaType}; charset=utf-8` : mediaType;
  if (headers['content-type'] !== contentType) faults.push(`content-type is not ${contentType}`);
  if (headers['content-length'] !== String(Buffer.byteLength(body))) faults.push('content-length is not the body’s');
  let value: unknown = body;
  try {
    if (mediaType.endsWith('json')) value = JSON.parse(body);
  } catch {
    return [...faults, 'the body is not JSON'];
  }
  return [...faults, ...violations(schema, value).map((violation) => `the body ${violation}`)];
}

function checkNoBody({ body }: Reply): string[] {
  return body === '' ? [] : ['a reply to HEAD has a body'];
}

const ajv = new Ajv2020({ allErrors: true, strict: false });
addFormats.default(ajv);
/** By the schema's text: to compile one takes longer than most requests. */
const validators = new Map<string, ValidateFunction>();

function violations(schema: Node, value: unknown): string[] {
  const key = JSON.stringify(schema);
  const validate = validators.get(key) ?? ajv.compile(schema);
  validators.set(key, validate);
  validate(value);
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
  );
}
