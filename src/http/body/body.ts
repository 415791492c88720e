import { pipeline } from 'node:stream';
import { MIMEType } from 'node:util';
import formbody from '@fastify/formbody';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { HttpError } from '../../errors/http-error.js';
import { decodeForm, MALFORMED } from '../../text/percent-encoding.js';
import { createUtf8Check, type Utf8Check } from '../../text/utf8.js';
import { joinChunks } from './join-chunks.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Checks what the parser reads. */
    utf8Check: Utf8Check | undefined;
  }
}

const FORM = 'application/x-www-form-urlencoded';
const CHARSETS = ['utf-8', 'us-ascii'];
const NOT_ENCODED = 'must be percent-encoded UTF-8';

/** Parses bodies of the media types that the operation lists, and refuses malformed text. */
export const bodyPlugin = fp(
  async (app) => {
    await app.register(formbody, { parser: decodeForm });
    app.removeContentTypeParser('text/plain');
    // Of operations without a body: the others have listed media types only, by then.
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
    app.decorateRequest('utf8Check');

    app.addHook('onRequest', ({ operation, headers }, _reply, done) => {
      const mediaTypes = [...(operation?.bodies.keys() ?? [])];
      if (mediaTypes.length === 0) {
        // Many clients name a type with each request. What a DELETE brings means nothing (RFC 9110, section 9.3.5).
        if (headers['content-type'] !== undefined) headers['content-type'] = undefined;
        return done();
      }
      // Fastify does not validate a request without a body: make it an empty form, which it does.
      if (!hasBody(headers) && headers['content-type'] === undefined) {
        headers['content-type'] = mediaTypes.includes(FORM) ? FORM : mediaTypes[0];
      }
      done(isReadable(headers, mediaTypes) ? undefined : new HttpError(415));
    });

    // The parsers decode with replacement characters, so invalid UTF-8 must be found before.
    app.addHook('preParsing', (request, _reply, payload, done) => {
      const { maxContentLength } = request.operation ?? {};
      if (maxContentLength === undefined) return done(null, payload);
      const isChunked = request.headers['transfer-encoding'] !== undefined;
      // A body that breaks off destroys the joined one too.
      const body = isChunked ? pipeline(payload, joinChunks(), () => {}) : payload;
      request.utf8Check = createUtf8Check(maxContentLength);
      body.on('data', request.utf8Check.push);
      done(null, body);
    });

    app.addHook('preValidation', async ({ operation, utf8Check, body }) => {
      if (!utf8Check) return;
      if (!utf8Check.isWhole()) throw new HttpError(400, 'The body is not valid UTF-8');
      const faulty = Object.entries(body ?? {}).filter(([, value]) => isMalformed(value) || isBroken(value));
      if (faulty.length === 0) return;
      const [declared] = operation?.bodies.values() ?? [];
      // Errors name declared fields only: any other name may be a piece of a password.
      const errors = faulty
        .filter(([field]) => Object.hasOwn(declared?.schema.properties ?? {}, field))
        .map(([field, value]) => ({ field, message: isMalformed(value) ? NOT_ENCODED : 'must be valid Unicode' }));
      if (errors.length > 0) throw new HttpError(400, '', { errors });
      if (faulty.some(([, value]) => isMalformed(value))) {
        throw new HttpError(400, 'The body is not percent-encoded UTF-8');
      }
    });
  },
  { name: 'body', dependencies: ['unrouted'] },
);

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

function isMalformed(value: unknown): boolean {
  return value === MALFORMED || (Array.isArray(value) && value.includes(MALFORMED));
}

/** JSON may escape half a surrogate pair. */
function isBroken(value: unknown): boolean {
  return typeof value === 'string' && !value.isWellFormed();
}
