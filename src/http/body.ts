import { MIMEType } from 'node:util';
import formbody from '@fastify/formbody';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { BodySpec } from '../contract/contract.js';
import { IS_REQUIRED } from '../contract/validation.js';
import { ClientGone } from '../errors/client-gone.js';
import { HttpError } from '../errors/http-error.js';
import { decodeForm, MALFORMED } from '../text/percent-encoding.js';
import { decodeUtf8, isDecoded } from '../text/utf8.js';

/** A body has a few. Fastify keeps each until the body is whole, and one of a byte takes two hundred. */
const MAX_CHUNKS = 1_000;

const CHARSETS = ['utf-8', 'us-ascii'];

/** Parses bodies of the media types that the operation lists, and refuses malformed text. */
export const bodyPlugin = fp(
  async (app) => {
    const parseJson = app.getDefaultJsonParser('remove', 'remove');
    app.removeAllContentTypeParsers();
    app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, bytes, done) => {
      const text = decodeUtf8(bytes);
      if (text === undefined) done(notUtf8());
      else parseJson(request, text, done);
    });
    await app.register(formbody, {
      parser(text) {
        if (isDecoded(text)) return decodeForm(text);
        throw notUtf8();
      },
    });
    // Of requests whose body is ignored.
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));

    app.addHook('onRequest', ({ operation, headers }, reply, done) => {
      // Fastify would wait for its body for ever.
      if (reply.raw.destroyed) return done(new ClientGone());
      const [body] = operation?.bodies.values() ?? [];
      if (!body) {
        // Many clients name a type with each request. What a DELETE brings means nothing (RFC 9110, section 9.3.5).
        if (headers['content-type'] !== undefined) headers['content-type'] = undefined;
        return done();
      }
      if (!hasBody(headers) && !operation?.needsBody) {
        // Clients name the type of a body that they leave out.
        headers['content-type'] = undefined;
        return done();
      }
      if (!hasBody(headers) && headers['content-type'] === undefined) return done(absent(body));
      done(isReadable(headers, [...(operation?.bodies.keys() ?? [])]) ? undefined : new HttpError(415));
    });

    app.addHook('preParsing', ({ operation }, _reply, payload, done) => {
      let chunks = 0;
      const count = () => {
        chunks += 1;
        if (chunks > MAX_CHUNKS) payload.destroy();
      };
      if (operation?.bodies.size) payload.on('data', count);
      done(null, payload);
    });

    app.addHook('preValidation', async ({ operation, body }) => {
      const [declared] = operation?.bodies.values() ?? [];
      if (declared && typeof body === 'object' && body !== null) checkText(body, declared);
    });
  },
  { name: 'body', dependencies: ['framing'] },
);

function notUtf8(): HttpError {
  return new HttpError(400, 'The body is not valid UTF-8');
}

/** Fastify does not validate a request without a body. */
function absent({ schema }: BodySpec): HttpError {
  const required = [schema.required ?? []].flat();
  return new HttpError(400, '', {
    errors: required.map((field) => ({ field: String(field), ...IS_REQUIRED })),
  });
}

type Headers = FastifyRequest['headers'];

function hasBody(headers: Headers): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function isReadable(headers: Headers, mediaTypes: string[]): boolean {
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = headers;
  if (encoding.trim().toLowerCase() !== 'identity') return false;
  // Most have no parameters.
  if (mediaTypes.includes(type)) return true;
  try {
    const { essence, params } = new MIMEType(type);
    return mediaTypes.includes(essence) && CHARSETS.includes((params.get('charset') ?? 'utf-8').trim().toLowerCase());
  } catch {
    return false;
  }
}

/** Errors name declared fields only: any other name may be a piece of a password. */
function checkText(body: object, { schema }: BodySpec): void {
  const faults = Object.entries(body).flatMap(([field, value]) => {
    const message = faultOf(value);
    return message === undefined ? [] : [{ field, message, code: 'malformed' }];
  });
  const errors = faults.filter(({ field }) => Object.hasOwn(schema.properties ?? {}, field));
  if (errors.length > 0) throw new HttpError(400, '', { errors });
  if (faults.some(({ message }) => message === NOT_ENCODED))
    throw new HttpError(400, 'The body is not percent-encoded UTF-8');
}

const NOT_ENCODED = 'must be percent-encoded UTF-8';

/** JSON may escape half a surrogate pair. */
function faultOf(value: unknown): string | undefined {
  const parts = [value];
  // Without recursion: JSON may be nested as deeply as the body is long.
  for (const part of parts) {
    if (part === MALFORMED) return NOT_ENCODED;
    if (typeof part === 'string' && !part.isWellFormed()) return 'must be valid Unicode';
    if (typeof part === 'object' && part !== null) parts.push(...Object.entries(part).flat());
  }
  return undefined;
}
