import jwt from '@fastify/jwt';
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
    let key = secret;
    await app.register(jwt, {
      secret,
      sign: { algorithm: 'HS256', header: { alg: 'HS256', typ: undefined }, noTimestamp: true },
    });
    app.decorate('issueToken', (userId: number) => {
      const claims: Claims = { user_id: userId, exp: Math.floor(now() / 1000) + ttlSeconds };
      // With a key it makes a signer for each token.
      return app.jwt.sign(claims, key === secret ? undefined : { key });
    });
    app.decorate('changeTokenSecret', (changed: string) => {
      key = changed;
    });
  },
  { name: 'tokens' },
);
