import { STATUS_CODES } from 'node:http';
import {
  type Contract,
  findReply,
  type Operation,
  operationNamed,
  type ReplySpec,
  type Schema,
} from '../src/contract/contract.js';
import type { Exchange } from '../test/support/record.js';

const HOST = 'example.org';
const FORM = 'application/x-www-form-urlencoded';

type ObjectSchema = { properties?: { [name: string]: { description?: string } }; required?: string[] };

/** Differ from one run to the next; the contract's example stands in their place. */
const VOLATILE = ['X-Request-Id', 'X-Runtime', 'ETag'];

const JWT = /\beyJ[\w-]+\.[\w-]+\.[\w-]+/g;
const REFRESH_TOKEN = /\brt_[\w-]{91}\b/g;
const ONE_TIME_TOKEN = /(?<=\b(?:pr|ec)_)[\w-]{43}/g;
const TIMESTAMP = /\b\d{4}-\d\d-\d\dT[\d:.]{12}Z/g;
/** Of a body that is too long. */
const ZEROS = /0{1000,}/;
const UUID = /\b[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}\b/g;

/** What is documented under one heading. */
export type Resource = { name: string; exchanges: Exchange[] };

/** Writes exchanges as the documentation of the Rails API was written: Markdown for Slate, with one tab more. */
export function apiDocumentation(contract: Contract, resources: Resource[]): string {
  return `---
title: API Documentation
language_tabs:
  - json: JSON
  - shell: cURL
---


${resources.map((resource) => resourceOf(contract, resource)).join('\n\n')}`;
}

function resourceOf(contract: Contract, { name, exchanges }: Resource): string {
  return `# ${name}


${exchanges.map((exchange) => exampleOf(contract, exchange)).join('\n\n')}`;
}

function exampleOf(contract: Contract, exchange: Exchange): string {
  const { example, request, reply } = withExamples(contract, exchange);
  const { method = 'GET', path, headers = {}, body = '' } = request;
  const endpoint = `${method} ${path}`;
  const operations = contract.operations.filter((candidate) => isAt(candidate, path));
  const operation = operations.find((candidate) => candidate.method === method) ?? operations[0];
  const spec = findReply(contract, operation, reply.status);
  if (!operation || !spec) throw new Error(`openapi.yaml does not declare ${reply.status} for ${endpoint}`);
  const requestHeaders = Object.entries({ host: HOST, ...headers }).map(
    ([name, value]) => `${spelled(name)}: ${value}`,
  );
  return `
## ${example}


### Request

#### Endpoint

${fence('plaintext', [endpoint, ...requestHeaders])}

\`${endpoint}\`

#### Parameters

${body ? `\n${fence('json', [String(body).replace(ZEROS, (zeros) => `${zeros.slice(0, 3)}…`)])}\n` : ''}
${fence('shell', [curl(method, path, headers, String(body))])}


${body ? parameterTable(operation) : 'None.'}



### Response

${fence('plaintext', [...headerLines(spec, reply.headers), `${reply.status} ${STATUS_CODES[reply.status]}`])}

${reply.body && `\n\n${fence('json', [JSON.stringify(JSON.parse(reply.body), null, 2)])}\n`}`;
}

/** Puts the contract's examples in place of tokens, ids and times, which differ from one run to the next. */
function withExamples(contract: Contract, exchange: Exchange): Exchange {
  const { auth_token = '', refresh_token = '' } =
    operationNamed(contract, 'refreshSession').replies.get(200)?.example ?? {};
  const { token: oneTimeToken, expires_at } =
    operationNamed(contract, 'createPasswordReset').replies.get(201)?.example ?? {};
  const [id] = [contract.schemas.SessionId?.examples].flat();
  const ids: string[] = [];
  const nthId = (found: string) => {
    if (!ids.includes(found)) ids.push(found);
    return `${String(id).slice(0, -1)}${(0xe + ids.indexOf(found)).toString(16).slice(-1)}`;
  };
  const text = JSON.stringify(exchange)
    .replaceAll(JWT, String(auth_token))
    .replaceAll(REFRESH_TOKEN, String(refresh_token))
    .replaceAll(ONE_TIME_TOKEN, String(oneTimeToken).slice('pr_'.length))
    .replaceAll(TIMESTAMP, String(expires_at))
    .replaceAll(UUID, nthId);
  return JSON.parse(text);
}

/** Whether a path, with its query, is an operation's. */
function isAt({ path }: Operation, asked: string): boolean {
  const [target = ''] = asked.split('?', 1);
  const segments = target.split('/');
  const own = path.split('/');
  return own.length === segments.length && own.every((name, index) => name.startsWith('{') || name === segments[index]);
}

function fence(language: string, lines: string[]): string {
  return ['```'.concat(language), ...lines, '```'].join('\n');
}

/** In the contract's order, with Content-Type, if any, where Rails sent it. */
function headerLines({ headers }: ReplySpec, sent: Exchange['reply']['headers']): string[] {
  return [...headers].flatMap(([name, schema]) => {
    const value = VOLATILE.includes(name) ? firstExample(schema) : sent[name.toLowerCase()];
    const type = name === 'Referrer-Policy' ? sent['content-type'] : undefined;
    return [`${name}: ${value}`, ...(type === undefined ? [] : [`Content-Type: ${type}`])];
  });
}

function firstExample({ examples }: Schema): unknown {
  return Array.isArray(examples) ? examples[0] : undefined;
}

/** Every media type of an operation takes the same fields. */
function parameterTable({ bodies }: Operation): string {
  const [schema = {}] = [...bodies.values()].map((body) => body.schema);
  const { properties = {}, required = [] }: ObjectSchema = schema;
  const rows = Object.entries(properties).map(
    ([name, { description = '' }]) => `| ${name}${required.includes(name) ? ' *required*' : ''} | ${description} |`,
  );
  return ['| Name | Description |', '|:-----|:------------|', ...rows].join('\n');
}

function curl(method: string, path: string, headers: object, body: string): string {
  const named = Object.entries(headers).filter(([, value]) => value !== FORM);
  return [
    `curl -sS http://${HOST}${path}`,
    ...(method === (body ? 'POST' : 'GET') ? [] : [`-X ${method}`]),
    ...named.map(([name, value]) => `-H ${quoted(`${spelled(name)}: ${value}`)}`),
    ...(body ? [`-d ${quoted(body)}`] : []),
  ].join(' ');
}

/** For a POSIX shell, which makes the zeros itself. */
function quoted(text: string): string {
  const quoted = `'${text.replaceAll("'", `'\\''`)}'`;
  return quoted.replace(ZEROS, (zeros) => `'$(printf %0${zeros.length}d 0)'`);
}

function spelled(name: string): string {
  return name.replaceAll(/\b[a-z]/g, (letter) => letter.toUpperCase());
}
