import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { type Contract, findReply, type ReplySpec } from '../contract/contract.js';
import { ClientGone } from '../errors/client-gone.js';
import { HttpError } from '../errors/http-error.js';

const CHALLENGE = 'WWW-Authenticate';

/** Answers a failure with a status and a body that the contract declares; an unexpected one with 500. */
export const errorsPlugin = fp<{ contract: Contract }>(
  async (app, { contract }) => {
    app.setNotFoundHandler((request, reply) => {
      // Swagger UI's route has no such file.
      leaveOperation(contract, request, reply);
      throw new HttpError(404);
    });

    app.setErrorHandler((error: FastifyError | HttpError | ClientGone, request, reply) => {
      // Nobody reads it; sending it runs the hook that logs.
      if (error instanceof ClientGone) return reply.send();
      let failure = toHttpError(error);
      Object.assign(request.logFields, failure.log);
      logForOperator(request, failure);
      // To the caller, a file that a package refuses to serve does not exist.
      if (request.operation?.servedBy && !findReply(contract, request.operation, failure.status)) {
        leaveOperation(contract, request, reply);
        failure = new HttpError(404);
      }
      const declared = declaredReply(contract, request, failure);
      return send(reply, declared.failure, declared.spec);
    });
  },
  { name: 'errors', dependencies: ['response-headers'] },
);

/** Fastify's own messages may quote the body, and so a password. */
const MESSAGES: { [code: string]: string } = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as Content-Length says',
};

function toHttpError(error: FastifyError | HttpError): HttpError {
  if (error instanceof HttpError) return error;
  const { statusCode = 500, code, message } = error;
  return statusCode < 500
    ? new HttpError(statusCode, MESSAGES[code])
    : new HttpError(500, '', { message, cause: error });
}

/** The operator is told more than the client. */
function logForOperator({ log }: FastifyRequest, { status, message, cause }: HttpError): void {
  if (status === 500) log.error({ err: cause }, message);
  else if (cause !== undefined) log.error(message);
}

/** The reply that the contract declares for a failure; the one for 500 where there is none. */
function declaredReply(contract: Contract, { operation, log }: FastifyRequest, failure: HttpError) {
  const spec = findReply(contract, operation, failure.status);
  if (spec) return { failure, spec };
  const owner = operation?.id ?? 'x-replies-outside-operations';
  log.error({ err: failure }, `openapi.yaml: ${owner} does not declare status ${failure.status}`);
  return { failure: new HttpError(500), spec: findReply(contract, operation, 500) };
}

function send(
  reply: FastifyReply,
  { status, clientMessage, clientCode, errors, retryAfterSeconds, tokenError }: HttpError,
  declared?: ReplySpec,
) {
  if (retryAfterSeconds) reply.header('retry-after', retryAfterSeconds);
  if (tokenError) reply.header(CHALLENGE, `${declared?.headers.get(CHALLENGE)?.default}, error="${tokenError}"`);
  return reply
    .code(status)
    .type('application/json; charset=utf-8')
    .send({
      message: clientMessage || declared?.example.message,
      code: clientCode ?? declared?.example.code,
      ...(errors && { errors }),
    });
}

/** Drops the headers of the operation's own replies; CORS headers stay. */
function leaveOperation({ headersAcrossOrigins }: Contract, request: FastifyRequest, reply: FastifyReply): void {
  request.operation = undefined;
  const kept = [...headersAcrossOrigins.keys()].map((name) => name.toLowerCase());
  for (const name of Object.keys(reply.getHeaders())) if (!kept.includes(name)) reply.removeHeader(name);
}
