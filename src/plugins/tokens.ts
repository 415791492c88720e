import { createSigner } from 'fast-jwt';
import fp from 'fastify-plugin';

declare module 'fastify' {
  interface FastifyInstance {
    issueToken(userId: number): string;
    /** From now on signs with another secret. */
    changeTokenSecret(secret: string): void;
  }
}

/** The claims of a token, in the order in which they are written. */
type Claims = { user_id: number; exp: number };

export type TokenOptions = {
  secret: string;
  ttlSeconds: number;
  /** Milliseconds since the epoch. */
  now: () => number;
};

/** Issues JSON Web Tokens (RFC 7519) to the byte as the Rails API did: no `typ`, no `iat`. */
export const tokensPlugin = fp<TokenOptions>(
  async (app, { secret, ttlSeconds, now }) => {
    let sign = createTokenSigner(secret);
    app.decorate('issueToken', (userId: number) => {
      const claims: Claims = { user_id: userId, exp: Math.floor(now() / 1000) + ttlSeconds };
      return sign(claims);
    });
    app.decorate('changeTokenSecret', (changed: string) => {
      sign = createTokenSigner(changed);
    });
  },
  { name: 'tokens' },
);

function createTokenSigner(key: string): (claims: Claims) => string {
  return createSigner({ key, algorithm: 'HS256', header: { alg: 'HS256', typ: undefined }, noTimestamp: true });
}
