import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Contract, Operation } from '../contract/contract.js';
import type { Callers } from '../contract/handler.js';
import type { LogFields } from '../errors/http-error.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined where the contract asks for no security scheme. */
    caller: unknown;
  }
}

/** Tells who calls by a token, and what the log has of it. Throws where the token is refused. */
type Authenticate<Caller> = (token: string | undefined) => Promise<{ caller: Caller; log: LogFields }>;

type AuthenticationOptions = {
  contract: Contract;
  /** By security scheme. */
  authenticators: { [Scheme in keyof Callers]: Authenticate<Callers[Scheme]> };
};

/**
 * Finds out who calls where the contract asks for it, before the body is read.
 *
 * @throws Error where the contract names a scheme that has no authenticator
 */
export const authenticationPlugin = fp<AuthenticationOptions>(
  async (app, { contract, authenticators }) => {
    const byScheme = new Map<string, Authenticate<unknown>>(Object.entries(authenticators));
    /** Undefined where anybody may call. */
    function authenticatorOf({ id, securityScheme }: Operation): Authenticate<unknown> | undefined {
      if (securityScheme === undefined) return undefined;
      const authenticate = byScheme.get(securityScheme);
      if (authenticate) return authenticate;
      throw new Error(`openapi.yaml: operation ${id} asks for ${securityScheme}, which is not implemented`);
    }
    for (const operation of contract.operations) authenticatorOf(operation);

    app.decorateRequest('caller');
    app.addHook('onRequest', async (request) => {
      const authenticate = request.operation && authenticatorOf(request.operation);
      if (!authenticate) return;
      const { caller, log } = await authenticate(bearerToken(request));
      request.caller = caller;
      Object.assign(request.logFields, log);
    });
  },
  { name: 'authentication', dependencies: ['operation', 'errors', 'framing'] },
);

/** RFC 6750, section 2.1. Undefined where there is none. */
function bearerToken({ headers }: FastifyRequest): string | undefined {
  return /^Bearer (.*)/i.exec(headers.authorization ?? '')?.[1];
}
