import jwt from '@fastify/jwt';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    tokens: Tokens;
  }
}

export type Tokens = {
  /** Makes the JSON Web Token of a user. */
  issue(userId: number): string;
  /** Signs with another secret. */
  rotateSecret(secret: string): void;
};

/** The claims of a token, in the order in which they are written. */
type Claims = { user_id: number; exp: number };

export type TokenOptions = {
  secret: string;
  ttlSeconds: number;
  /** Milliseconds since the epoch. */
  now: () => number;
};

/** Issues JSON Web Tokens (RFC 7519), byte-compatible with the Rails API: no `typ`, no `iat`. */
export const tokensPlugin = fp<TokenOptions>(
  async (app, { secret, ttlSeconds, now }) => {
    let key = secret;
    await app.register(jwt, {
      secret,
      sign: { algorithm: 'HS256', header: { alg: 'HS256', typ: undefined }, noTimestamp: true },
    });
    app.decorate('tokens', {
      issue(userId) {
        const claims: Claims = { user_id: userId, exp: Math.floor(now() / 1000) + ttlSeconds };
        // A key of its own makes a new signer for each token.
        return app.jwt.sign(claims, key === secret ? undefined : { key });
      },
      rotateSecret(changed) {
        key = changed;
      },
    });
  },
  { name: 'tokens' },
);

export function tokensOf({ tokens }: FastifyInstance): Tokens {
  return tokens;
}
