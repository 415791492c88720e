import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type Contract, findReply, type ReplySpec } from '../contract/contract.js';
import { ClientGone } from '../errors/client-gone.js';
import { HttpError } from '../errors/http-error.js';

const CHALLENGE = 'WWW-Authenticate';

/** Answers a failure with a status and a body that the contract declares; an unexpected one with 500. */
export const errorsPlugin = fp<{ contract: Contract }>(
  async (app, { contract }) => {
    // Swagger UI's route has no such file.
    app.setNotFoundHandler((request, reply) => {
      leaveOperation(contract, request, reply);
      throw new HttpError(404);
    });

    app.setErrorHandler((error: FastifyError | HttpError | ClientGone, request, reply) => {
      if (error instanceof ClientGone) {
        // The client may have ended its side only.
        reply.hijack().raw.destroy();
        return reply;
      }
      let failure = expectedFailure(error);
      Object.assign(request.logFields, failure?.log);
      // To the caller, a file that a package refuses to serve does not exist.
      if (failure && request.operation?.servedBy && !findReply(contract, request.operation, failure.status)) {
        leaveOperation(contract, request, reply);
        failure = new HttpError(404);
      }
      const declared = failure && findReply(contract, request.operation, failure.status);
      if (failure && !declared) {
        const owner = request.operation?.id ?? 'x-replies-outside-operations';
        request.log.error(`openapi.yaml: ${owner} does not declare status ${failure.status}`);
      }
      if (!failure || !declared) {
        request.log.error({ err: error }, error.message);
        return send(reply, new HttpError(500), findReply(contract, request.operation, 500));
      }
      // The operator is told more than the client.
      if (failure.cause !== undefined) request.log.error(failure.message);
      return send(reply, failure, declared);
    });
  },
  { name: 'errors', dependencies: ['response-headers'] },
);

function send(
  reply: FastifyReply,
  { status, clientMessage, errors, retryAfterSeconds, tokenError }: HttpError,
  declared?: ReplySpec,
) {
  if (retryAfterSeconds) reply.header('retry-after', retryAfterSeconds);
  if (tokenError) reply.header(CHALLENGE, `${declared?.headers.get(CHALLENGE)?.default}, error="${tokenError}"`);
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send({ message: clientMessage || declared?.message, ...(errors && { errors }) });
}

/** Fastify's own messages may quote the body, and so a password. */
const MESSAGES: { [code: string]: string } = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as Content-Length says',
};

/** Drops the headers of the operation's own replies; CORS headers stay. */
function leaveOperation({ headersAcrossOrigins }: Contract, request: FastifyRequest, reply: FastifyReply): void {
  request.operation = undefined;
  const kept = [...headersAcrossOrigins.keys()].map((name) => name.toLowerCase());
  for (const name of Object.keys(reply.getHeaders())) if (!kept.includes(name)) reply.removeHeader(name);
}

function expectedFailure(error: FastifyError | HttpError): HttpError | undefined {
  if (error instanceof HttpError) return error;
  const { statusCode = 500, code } = error;
  return statusCode < 500 ? new HttpError(statusCode, MESSAGES[code]) : undefined;
}
