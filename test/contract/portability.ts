import { RE2JS } from 're2js';
import { isAlias, parse, parseDocument, visit } from 'yaml';

// What the document may hold is open.
// biome-ignore lint/suspicious/noExplicitAny: a parsed YAML document has no type until it is checked
type Node = any;

/** Keywords below which a schema stands, or a list or a map of them. */
const SCHEMA = ['schema', 'items', 'additionalProperties', 'not', 'contains', 'propertyNames'];
const SCHEMAS = ['properties', 'patternProperties', 'prefixItems', 'allOf', 'anyOf', 'oneOf'];

/**
 * Names what a reader or generator of OpenAPI is known to stumble over, in a document as it is served. What else they
 * may stumble over is found by those in acceptance/clients.test.ts.
 */
export function portabilityFaults(yaml: string): string[] {
  const document: Node = parse(yaml);
  return [
    ...(document.openapi === '3.1.0' ? [] : [`openapi: ${document.openapi} is not known to every reader; 3.1.0 is`]),
    ...anchorsIn(yaml).map((name) => `anchor ${name}: Ruby's Psych and ogen refuse YAML with anchors`),
    ...nodesOf(document).flatMap(({ path, key, value }) => [
      ...(/^x-/.test(key) && !/properties|headers/.test(path.at(-2) ?? '') ? [`${at(path)}: an extension`] : []),
      ...(key === 'pattern' ? patternFaults(value).map((fault) => `${at(path)}: ${fault}`) : []),
      ...(key === 'nullable' ? [`${at(path)}: OpenAPI 3.1 says type: [string, "null"]`] : []),
      ...(key === 'content' ? mediaTypeFaults(value).map((fault) => `${at(path)}: ${fault}`) : []),
    ]),
    ...schemasOf(document).flatMap(({ path, value }) =>
      schemaFaults(path, value).map((fault) => `${at(path)}: ${fault}`),
    ),
    ...failuresOf(document),
    ...Object.keys(document.components.schemas)
      .filter((name) => `New${name}` in document.components.schemas)
      .map((name) => `components/schemas/New${name}: Go's constructor of ${name} has that name too`),
  ];
}

type Place = { path: string[]; key: string; value: Node };

function nodesOf(node: Node, path: string[] = []): Place[] {
  if (typeof node !== 'object' || node === null) return [];
  return Object.entries<Node>(node).flatMap(([key, value]) => {
    const below = [...path, key];
    return [{ path: below, key, value }, ...nodesOf(value, below)];
  });
}

function schemasOf(document: Node): Place[] {
  return nodesOf(document).filter(({ path }) => {
    const [parent = '', owner = ''] = [path.at(-2), path.at(-1)];
    return (SCHEMA.includes(owner) && parent !== 'properties') || SCHEMAS.includes(parent) || parent === 'schemas';
  });
}

function schemaFaults(path: string[], schema: Node): string[] {
  if (typeof schema === 'boolean') return schema || path.at(-1) !== 'additionalProperties' ? ['a boolean schema'] : [];
  const named = path.at(-2) === 'schemas';
  const choices: Node[] = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  return [
    ...(schema.properties && !named ? ['an object without a name of its own in components/schemas'] : []),
    ...(choices.some(({ required }) => required) ? ['a choice of required fields'] : []),
    ...((schema.properties?.message?.example ?? schema.properties?.message?.examples)
      ? ['a message with an example']
      : []),
  ];
}

function anchorsIn(yaml: string): string[] {
  const names: string[] = [];
  visit(parseDocument(yaml), {
    Node(_key, node) {
      if (!isAlias(node) && 'anchor' in node && node.anchor) names.push(`&${node.anchor}`);
    },
  });
  return names;
}

/** What RE2 and ECMAScript both read, PCRE and Java read too. */
function patternFaults(pattern: string): string[] {
  const faults: string[] = [];
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    faults.push(`RE2 does not read ${pattern}: ${error}`);
  }
  try {
    new RegExp(pattern, 'u');
  } catch (error) {
    faults.push(`ECMAScript does not read ${pattern}: ${error}`);
  }
  return faults;
}

function mediaTypeFaults(content: Node): string[] {
  const [first] = Object.keys(content);
  const late = first !== 'application/json' && 'application/json' in content;
  return late ? [`generators take the first media type, ${first}, for their client; application/json comes first`] : [];
}

/** All failures have one schema, but for the login's 401. */
function failuresOf({ paths, components }: Node): string[] {
  const replies = [...Object.values<Node>(paths).flatMap((item) => Object.values<Node>(item)), components].flatMap(
    ({ responses }) => Object.entries<Node>(responses ?? {}),
  );
  return replies.flatMap(([name, { content }]) => {
    const reference: string = content?.['application/json']?.schema?.$ref ?? '';
    const failure = !/^2/.test(name) && content !== undefined;
    return failure && !/\/(Error|InvalidCredentials)$/.test(reference)
      ? [`reply ${name}: its schema is not Error`]
      : [];
  });
}

function at(path: string[]): string {
  return path.join('/');
}
