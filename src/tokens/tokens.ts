import { randomUUID } from 'node:crypto';
import jwt, { type FastifyJWTOptions, type TokenOrHeader } from '@fastify/jwt';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import fp from 'fastify-plugin';
import { MAX_ID } from '../database/users.js';
import { ALGORITHMS, type PublicJwk, type SigningKey } from './jwk-set.js';

declare module 'fastify' {
  interface FastifyInstance {
    tokens: Tokens;
  }
}

/** What tokens are signed and verified with. At least one is there. */
export type TokenKeys = {
  /** The first one signs, all verify. Where there are none, the secret signs. */
  signingKeys: readonly SigningKey[];
  /** Of HS256. Where there are keys, it verifies the tokens of before. */
  secret: string | undefined;
};

/** A token whose signature and expiry are good, or why it is refused. */
export type Verified =
  | { authentication: 'accepted'; userId: number; exp: number; jti: string | undefined }
  | { authentication: 'no_token' | 'invalid_token' | 'expired_token' };

export type Tokens = {
  /** The lifetime of tokens that are issued here. */
  ttlSeconds: number;
  /** When a token expires that is issued now, in seconds since the epoch. */
  nextExp(): number;
  /** Makes the JSON Web Token of a user. */
  issue(userId: number, exp: number): string;
  /** Verifies the Bearer token of a request (RFC 6750, section 2.1), without the database. */
  verify(request: FastifyRequest): Promise<Verified>;
  issuer: string | undefined;
  publicKeys(): PublicJwk[];
  /** The algorithms of the tokens that are good now. */
  algorithms(): string[];
  /** Signs and verifies with other keys. */
  rotateKeys(keys: TokenKeys): void;
};

/** The claims of a token, in the order in which they are written. */
type Claims = {
  user_id: number;
  exp: number;
  sub?: string;
  iat?: number;
  jti?: string;
  iss?: string;
  aud?: string | string[];
};

export type TokenOptions = {
  keys: TokenKeys;
  ttlSeconds: number;
  /** The `iss` and `aud` of tokens. */
  issuer: string | undefined;
  audiences: readonly string[];
  /** Milliseconds since the epoch. */
  now: () => number;
};

const HMAC = 'HS256';

/**
 * Issues and verifies JSON Web Tokens (RFC 7519). Without signing keys they are byte-compatible with the Rails API: HS256, no
 * `typ`, no `iat`.
 */
export const tokensPlugin = fp<TokenOptions>(
  async (app, { keys, ttlSeconds, issuer, audiences, now }) => {
    let current = keys;
    const initial = signerOf(keys);
    let signer = initial;

    await app.register(jwt, {
      secret: { private: initial.key, public: (_request, token, found) => found(null, keyFor(token, current)) },
      decode: { complete: true },
      sign: initial,
      verify: {
        algorithms: [HMAC, ...ALGORITHMS],
        requiredClaims: ['user_id', 'exp'] satisfies (keyof Claims)[],
        // By the service's own clock, below.
        ignoreExpiration: true,
        ...(issuer !== undefined && { allowedIss: issuer }),
        ...(audiences.length > 0 && { allowedAud: [...audiences] }),
      },
    });

    const seconds = () => Math.floor(now() / 1000);

    function claimsOf(userId: number, exp: number): Claims {
      const [audience, ...others] = audiences;
      return {
        user_id: userId,
        exp,
        ...(current.signingKeys.length > 0 && { sub: String(userId), iat: seconds(), jti: randomUUID() }),
        ...(issuer !== undefined && { iss: issuer }),
        ...(audience !== undefined && { aud: others.length > 0 ? [...audiences] : audience }),
      };
    }

    app.decorate('tokens', {
      ttlSeconds,
      nextExp: () => seconds() + ttlSeconds,
      // With options of its own, each call makes a signer.
      issue: (userId, exp) => app.jwt.sign(claimsOf(userId, exp), signer === initial ? undefined : signer),
      async verify(request) {
        let claims: Claims;
        try {
          claims = await request.jwtVerify<Claims>();
        } catch (error) {
          return { authentication: isMissing(error) ? 'no_token' : 'invalid_token' };
        }
        const { user_id: userId, exp, jti } = claims;
        if (!isId(userId) || !Number.isSafeInteger(exp) || !isTextOrNone(jti))
          return { authentication: 'invalid_token' };
        return exp * 1000 > now()
          ? { authentication: 'accepted', userId, exp, jti }
          : { authentication: 'expired_token' };
      },
      issuer,
      publicKeys: () => current.signingKeys.map(({ publicJwk }) => publicJwk),
      algorithms: () => [
        ...new Set([
          ...current.signingKeys.map(({ algorithm }) => algorithm),
          ...(current.secret === undefined ? [] : [HMAC]),
        ]),
      ],
      rotateKeys(changed) {
        current = changed;
        signer = signerOf(changed);
      },
    });
  },
  { name: 'tokens' },
);

export function tokensOf({ tokens }: FastifyInstance): Tokens {
  return tokens;
}

/** The options of @fastify/jwt with which tokens are signed. */
function signerOf({ signingKeys: [first], secret }: TokenKeys) {
  if (first) {
    const { algorithm, kid, privateKey: key } = first;
    return { algorithm, kid, key, header: { alg: algorithm, typ: undefined } } satisfies FastifyJWTOptions['sign'];
  }
  if (secret === undefined) throw new Error('there is no key to sign with');
  return {
    algorithm: HMAC,
    key: secret,
    header: { alg: HMAC, typ: undefined },
    noTimestamp: true,
  } satisfies FastifyJWTOptions['sign'];
}

/**
 * The key that a token names, and that is for the token's algorithm: one that is verified by another algorithm may be forged
 * (RFC 8725, section 3.1).
 */
function keyFor(token: TokenOrHeader, { signingKeys, secret }: TokenKeys): string | undefined {
  const { alg, kid } = 'header' in token ? token.header : token;
  if (kid === undefined) return alg === HMAC ? secret : undefined;
  return signingKeys.find((key) => key.kid === kid && key.algorithm === alg)?.publicKey;
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'FST_JWT_NO_AUTHORIZATION_IN_HEADER';
}

/** RFC 7519, section 4.1.7. PostgreSQL stores no NUL. */
function isTextOrNone(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && !value.includes('\0') && value.isWellFormed());
}

function isId(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= MAX_ID;
}
