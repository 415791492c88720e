import { MIMEType } from 'node:util';
import formbody from '@fastify/formbody';
import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type FieldError, HttpError } from '../errors/http-error.js';
import { decodeForm, MALFORMED } from '../text/percent-encoding.js';
import { createUtf8Check, type Utf8Check } from '../text/utf8.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Checks what the parser reads. */
    bodyText: Utf8Check | undefined;
  }
}

const FORM = 'application/x-www-form-urlencoded';
const CHARSETS = ['utf-8', 'us-ascii'];

/** Parses bodies of the media types that the operation lists, and refuses malformed text. */
export const bodyPlugin = fp(
  async (app) => {
    await app.register(formbody, { parser: decodeForm });
    app.removeContentTypeParser('text/plain');
    app.decorateRequest('bodyText');

    app.addHook('onRequest', async ({ operation, headers }) => {
      const mediaTypes = [...(operation?.bodies.keys() ?? [])];
      if (mediaTypes.length === 0) return;
      // Fastify does not validate a request without a body; an empty form it does.
      if (!hasBody(headers) && headers['content-type'] === undefined) {
        headers['content-type'] = mediaTypes.includes(FORM) ? FORM : mediaTypes[0];
      }
      if (!isReadable(headers, mediaTypes)) throw new HttpError(415);
    });

    // The parsers decode with replacement characters, so invalid UTF-8 must be found before.
    app.addHook('preParsing', (request, _reply, payload, done) => {
      if (request.operation?.bodies.size) {
        request.bodyText = createUtf8Check();
        payload.on('data', request.bodyText.push);
      }
      done(null, payload);
    });

    app.addHook('preValidation', async ({ operation, bodyText, body }) => {
      if (!bodyText) return;
      if (!bodyText.isWhole()) throw new HttpError(400, 'The body is not valid UTF-8');
      const values = new Map<string, unknown>(Object.entries(body ?? {}));
      const [declared] = operation?.bodies.values() ?? [];
      // Errors name declared fields only: any other name may be a piece of a password.
      const errors = Object.keys(declared?.schema.properties ?? {}).flatMap((field) =>
        faultOf(field, values.get(field)),
      );
      if (errors.length > 0) throw new HttpError(400, '', { errors });
      if ([...values.values()].flat().includes(MALFORMED)) {
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
  try {
    const { essence, params } = new MIMEType(type);
    return mediaTypes.includes(essence) && CHARSETS.includes((params.get('charset') ?? 'utf-8').toLowerCase());
  } catch {
    return false;
  }
}

/** Finds text that was malformed before it was parsed. */
function faultOf(field: string, value: unknown): FieldError[] {
  if ([value].flat().includes(MALFORMED)) return [{ field, message: 'must be percent-encoded UTF-8' }];
  const broken = typeof value === 'string' && !value.isWellFormed();
  return broken ? [{ field, message: 'must be valid Unicode' }] : [];
}
