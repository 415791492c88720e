import type { FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import type { Contract } from '../contract/contract.js';
import type { Callers } from '../contract/handler.js';
import { HttpError, type LogFields } from '../errors/http-error.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined where the contract asks for no security scheme. */
    caller: unknown;
  }
}

/**
 * Tells who calls by a token, and what the log has of it; undefined where the token is not of its kind, and another scheme may
 * decide. Throws where the token is refused.
 */
type Authenticate<Caller> = (token: string | undefined) => Promise<{ caller: Caller; log: LogFields } | undefined>;

/** By security scheme. */
export type Authenticators = { [Scheme in keyof Callers]: Authenticate<Callers[Scheme]> };

export type AuthenticationOptions = { contract: Contract; authenticators: Authenticators };

/**
 * Finds out who calls where the contract asks for it, before the body is read.
 *
 * @throws Error where the contract names a scheme that has no authenticator
 */
export const authenticationPlugin = fp<AuthenticationOptions>(
  async (app, { contract, authenticators }) => {
    const byScheme = new Map<string, Authenticate<unknown>>(Object.entries(authenticators));
    for (const { id, securitySchemes } of contract.operations) {
      const missing = securitySchemes.find((scheme) => !byScheme.has(scheme));
      if (missing) throw new Error(`openapi.yaml: operation ${id} asks for ${missing}, which is not implemented`);
    }

    app.decorateRequest('caller');
    app.addHook('onRequest', async (request) => {
      const { securitySchemes = [] } = request.operation ?? {};
      if (securitySchemes.length === 0) return;
      const token = bearerToken(request);
      for (const scheme of securitySchemes) {
        const authenticated = await byScheme.get(scheme)?.(token);
        if (!authenticated) continue;
        request.caller = authenticated.caller;
        Object.assign(request.logFields, authenticated.log);
        return;
      }
      throw new HttpError(401);
    });
  },
  { name: 'authentication', dependencies: ['operation', 'errors', 'framing'] },
);

/** RFC 6750, section 2.1. Undefined where there is none. */
function bearerToken({ headers }: FastifyRequest): string | undefined {
  return /^Bearer (.*)/i.exec(headers.authorization ?? '')?.[1];
}
