import formbody from '@fastify/formbody';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Schema } from '../contract/contract.js';
import type { FieldError } from '../contract/validation.js';
import { HttpError } from '../errors/http-error.js';
import { isPercentEncoded } from '../text/percent-encoding.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** What the parser has read. */
    bodyChunks: Buffer[] | undefined;
  }
}

/**
 * Finds what a parser would pass over in silence.
 *
 * @param declared - the only fields that are named to the client: any other name may be a piece of a password
 */
type Check = (body: string, declared: string[]) => FieldError[];

const FORM = 'application/x-www-form-urlencoded';

const CHECKS: { [mediaType: string]: Check } = {
  [FORM]: checkForm,
  'application/json': checkJson,
};

/** Lets through only bodies of a media type that the operation lists, whose text is whole; then the parsers read them. */
export const requestBodyPlugin = fp(
  async (app) => {
    await app.register(formbody);
    app.removeContentTypeParser('text/plain');

    app.addHook('onRequest', async (request) => {
      const mediaTypes = [...(request.operation?.bodies.keys() ?? [])];
      if (mediaTypes.length === 0) return;
      // Fastify would hand a request without a body to the handler as it is; as an empty form it is validated.
      if (!hasBody(request) && request.headers['content-type'] === undefined) {
        request.headers['content-type'] = mediaTypes.includes(FORM) ? FORM : mediaTypes[0];
      }
      const mediaType = mediaTypeOf(request);
      const charset = request.headers['content-type']?.match(/;\s*charset\s*=\s*"?([^\s;"]*)/i)?.[1] ?? 'utf-8';
      const encoding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
      const readable = mediaTypes.includes(mediaType) && /^(utf-8|us-ascii)$/i.test(charset);
      if (!readable || encoding !== 'identity') throw new HttpError(415);
    });

    app.decorateRequest('bodyChunks');

    // Looks on while the parser reads, which also limits the length; a stream of our own in between would cost more than
    // the parser does.
    app.addHook('preParsing', (request, _reply, payload, done) => {
      const { maxContentLength } = request.operation ?? {};
      if (maxContentLength === undefined) return done(null, payload);
      const chunks: Buffer[] = [];
      request.bodyChunks = chunks;
      let room = maxContentLength;
      payload.on('data', (chunk: Buffer) => {
        room -= chunk.length;
        if (room >= 0) chunks.push(chunk);
      });
      done(null, payload);
    });

    app.addHook('preValidation', async (request) => {
      const mediaType = mediaTypeOf(request);
      const check = CHECKS[mediaType];
      const body = request.operation?.bodies.get(mediaType);
      if (!check || !body) return;
      const errors = check(decodeUtf8(Buffer.concat(request.bodyChunks ?? [])), fieldsOf(body.schema));
      if (errors.length > 0) throw new HttpError(400, '', { errors });
    });
  },
  { name: 'request-body', dependencies: ['unrouted'] },
);

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** RFC 9110, section 8.3.1: the type without its parameters, in any case. */
function mediaTypeOf({ headers }: FastifyRequest): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
}

function fieldsOf(schema: Schema): string[] {
  return Object.keys(schema.properties ?? {});
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function decodeUtf8(bytes: Buffer): string {
  try {
    return UTF8.decode(bytes);
  } catch {
    throw new HttpError(400, 'The body is not valid UTF-8');
  }
}

/** Finds the declared fields whose percent-encoding does not stand for UTF-8 text. */
function checkForm(body: string, declared: string[]): FieldError[] {
  if (isPercentEncoded(body)) return [];
  const broken = new Set(
    body
      .split('&')
      .filter((pair) => !isPercentEncoded(pair))
      .map((pair) => pair.split('=', 1)[0]),
  );
  const blamed = declared.filter((field) => broken.has(field));
  if (blamed.length === 0) throw new HttpError(400, 'The body is not percent-encoded UTF-8');
  return blamed.map((field) => ({ field, message: 'must be percent-encoded UTF-8' }));
}

/** Finds the declared fields that are given twice, of which `JSON.parse` would keep the last, or with half a character. */
function checkJson(body: string, declared: string[]): FieldError[] {
  let fields: unknown;
  try {
    fields = JSON.parse(body);
  } catch {
    return []; // Fastify's parser says so.
  }
  const names = topLevelNames(body);
  const values = new Map<string, unknown>(Object.entries(fields ?? {}));
  return declared.flatMap((field) => {
    if (names.indexOf(field) !== names.lastIndexOf(field)) return [{ field, message: 'must be given once' }];
    const value = values.get(field);
    return typeof value === 'string' && !value.isWellFormed() ? [{ field, message: 'must be valid Unicode' }] : [];
  });
}

/** The names of the members of a JSON object, as often as they are given. */
function topLevelNames(json: string): string[] {
  const names: string[] = [];
  let depth = 0;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"(?:\s*:)?|[{}[\]]/g)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (depth === 1 && token.endsWith(':')) names.push(JSON.parse(token.slice(0, -1)));
  }
  return names;
}
