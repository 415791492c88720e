import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { ClientGone } from '../contract/client.js';
import { type Contract, findReply } from '../contract/contract.js';
import type { Outcome } from '../contract/handler.js';
import { DatabaseUnavailable } from '../database/database-unavailable.js';
import { HttpError } from '../errors/http-error.js';
import { Overloaded } from '../passwords/hash-queue.js';
import { TooManyFailures } from '../throttle/throttle.js';

/** Answers what failed with a status and a body that the contract declares; what nobody expected with 500. */
export const errorsPlugin = fp<{ contract: Contract }>(
  async (app, { contract }) => {
    // Where a route that exists has no such file.
    app.setNotFoundHandler((request, reply) => {
      leaveOperation(contract, request, reply);
      throw new HttpError(404);
    });

    app.setErrorHandler((error: FastifyError, request, reply) => {
      if (error instanceof ClientGone) return reply.hijack();
      let failure = expectedFailure(error);
      const outcome = OUTCOMES.find(([type]) => error instanceof type)?.[1];
      if (outcome) request.logFields.outcome = outcome;
      if (error instanceof TooManyFailures) request.logFields.budget = error.budget;
      // What a package refuses to serve below its operation's path does not exist for the caller.
      if (failure && request.operation?.servedBy && !findReply(contract, request.operation, failure.statusCode)) {
        leaveOperation(contract, request, reply);
        failure = new HttpError(404);
      }
      let spec = failure && findReply(contract, request.operation, failure.statusCode);
      if (failure && !spec) {
        const owner = request.operation?.id ?? 'x-replies-outside-operations';
        request.log.error(`openapi.yaml: ${owner} does not declare status ${failure.statusCode}`);
      }
      if (error instanceof DatabaseUnavailable) request.log.error(error.message);
      else if (!failure || !spec) request.log.error({ err: error }, error.message);
      if (!failure || !spec) {
        failure = new HttpError(500);
        spec = findReply(contract, request.operation, failure.statusCode);
      }
      if (failure.retryAfterSeconds) reply.header('retry-after', failure.retryAfterSeconds);
      return reply
        .code(failure.statusCode)
        .type('application/json; charset=utf-8')
        .send({
          message: failure.message || spec?.message,
          ...(failure.errors && { errors: failure.errors }),
        });
    });
  },
  { name: 'errors', dependencies: ['response-headers', 'request-log'] },
);

/** Fastify's own messages may quote the body, and so a password; these do not. */
const MESSAGES: { [code: string]: string } = {
  FST_ERR_CTP_INVALID_JSON_BODY: 'The body is not valid JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'The body is empty',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'The body is not as long as Content-Length says',
};

/** The headers that the operation has set belong to its own replies; those for other origins to every reply. */
function leaveOperation({ headersAcrossOrigins }: Contract, request: FastifyRequest, reply: FastifyReply): void {
  request.operation = undefined;
  const kept = [...headersAcrossOrigins.keys()].map((name) => name.toLowerCase());
  for (const name of Object.keys(reply.getHeaders())) if (!kept.includes(name)) reply.removeHeader(name);
}

const OUTCOMES: [type: new (...args: never[]) => Error, outcome: Outcome][] = [
  [TooManyFailures, 'throttled'],
  [Overloaded, 'overloaded'],
  [DatabaseUnavailable, 'database_unavailable'],
];

function expectedFailure(error: FastifyError): HttpError | undefined {
  if (error instanceof HttpError) return error;
  if (error instanceof DatabaseUnavailable) return new HttpError(503);
  if (error instanceof Overloaded) return new HttpError(503, '', error);
  if (error instanceof TooManyFailures) return new HttpError(429, '', error);
  const { statusCode = 500, code } = error;
  return statusCode < 500 ? new HttpError(statusCode, MESSAGES[code]) : undefined;
}
