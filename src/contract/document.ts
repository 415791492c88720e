import { stringify } from 'yaml';

const HEADERS_OF_EVERY_REPLY = 'x-headers-of-every-reply';

/** An OpenAPI document as openapi.yaml has it, as far as it is read here. */
export type Document = {
  openapi: string;
  info: { title: string; version: string };
  servers: { url: string }[];
  paths: Named<PathItem>;
  components?: { responses?: Named<Reply> };
  [HEADERS_OF_EVERY_REPLY]?: HeadersOfEveryReply;
  'x-replies-outside-operations'?: Named<Reply>;
};
type Named<Value> = { [name: string]: Value };
type PathItem = Named<Operation | object[]>;
type Operation = {
  responses: Named<Reply>;
  'x-replies-below'?: Named<Reply>;
  [HEADERS_OF_EVERY_REPLY]?: HeadersOfEveryReply;
};
type Reply = { $ref: string } | OwnReply;
type OwnReply = { description: string; headers?: Named<object>; content?: object };
type HeadersOfEveryReply = { before?: Named<object>; after?: Named<object> };

/** Maps whose keys are names and not keywords. */
const MAPS_OF_NAMES = ['properties', 'headers', 'examples'];

/** Adds the headers of every reply, and of every reply of an operation, to each reply's own. */
export function withHeadersOfEveryReply(source: Document): Document {
  const outer = source[HEADERS_OF_EVERY_REPLY] ?? {};
  const expand = (replies: Named<Reply> = {}, inner: HeadersOfEveryReply = {}) =>
    mapValues(replies, (reply) => ('$ref' in reply ? reply : surround(reply, outer, inner)));
  return {
    ...source,
    paths: mapValues(source.paths, (item) =>
      mapValues(item, (operation) => {
        if (!('responses' in operation)) return operation;
        const { responses, 'x-replies-below': below, [HEADERS_OF_EVERY_REPLY]: inner } = operation;
        return { ...operation, responses: expand(responses, inner), 'x-replies-below': expand(below, inner) };
      }),
    ),
    'x-replies-outside-operations': expand(source['x-replies-outside-operations']),
    components: { ...source.components, responses: expand(source.components?.responses) },
  };
}

function surround(reply: OwnReply, outer: HeadersOfEveryReply, inner: HeadersOfEveryReply): OwnReply {
  const { description, headers, ...content } = reply;
  // RFC 9110, section 8.6: a reply without content needs no length.
  const { 'Content-Length': length, ...after } = { ...inner.after, ...outer.after };
  return {
    description,
    headers: {
      ...outer.before,
      ...inner.before,
      ...headers,
      ...after,
      ...(length && 'content' in content && { 'Content-Length': length }),
    },
    ...content,
  };
}

/** Removes extensions: only this service reads them. */
export function withoutExtensions<Node>(node: Node, keysAreNames = false): Node {
  // The result has the same shape, less members that are not typed.
  if (Array.isArray(node)) return node.map((item) => withoutExtensions(item)) as Node;
  if (typeof node !== 'object' || node === null) return node;
  const kept = Object.entries(node).filter(([key]) => keysAreNames || !key.startsWith('x-'));
  return Object.fromEntries(
    kept.map(([key, value]) => [key, withoutExtensions(value, MAPS_OF_NAMES.includes(key))]),
  ) as Node;
}

/** The document that clients get: complete, without extensions, with the server that the request has reached. */
export type ServedDocument = {
  /** @param origin - scheme and host, as in `https://login.example.com`; undefined where it is unknown */
  asObject(origin?: string): { [member: string]: unknown };
  asYaml(origin?: string): string;
};

/** @param document - with the headers of every reply in their places */
export function createServedDocument(document: Document): ServedDocument {
  const { openapi, info, servers, ...rest } = withoutExtensions(document);
  const serversAt = (origin?: string) => servers.map((server) => ({ ...server, url: origin ?? server.url }));
  // Takes 15 ms, so it is made once, at the first request.
  let yamlOfRest: string | undefined;
  return {
    asObject: (origin) => ({ openapi, info, servers: serversAt(origin), ...rest }),
    asYaml(origin) {
      yamlOfRest ??= toYaml(rest);
      return toYaml({ openapi, info, servers: serversAt(origin) }) + yamlOfRest;
    },
  };
}

/** YAML that also YAML 1.1 readers (Ruby's Psych, PyYAML) read: no anchors, and `"off"` is a string. */
function toYaml(document: object): string {
  return stringify(document, { aliasDuplicateObjects: false, compat: 'yaml-1.1', lineWidth: 0 });
}

function mapValues<Value, Mapped>(named: Named<Value>, change: (value: Value) => Mapped): Named<Mapped> {
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [name, change(value)]));
}
