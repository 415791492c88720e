import { randomUUID } from 'node:crypto';
import jwt, { type FastifyJWTOptions, type JWT, type JwtHeader } from '@fastify/jwt';
import fastify from 'fastify';
import { MAX_ID } from '../database/users.js';
import type { Algorithm, PublicJwk, SigningKey } from './jwk-set.js';

/** What tokens are signed and verified with. At least one is there. */
export type TokenKeys = {
  /** The first one signs, all verify. Where there are none, the secret signs. */
  signingKeys: readonly SigningKey[];
  /** Of HS256. Beside keys, it verifies earlier tokens. */
  secret: string | undefined;
  /** Of HS256. It verifies tokens that the secret does not. */
  previousSecret?: string | undefined;
};

/** A token whose signature and expiry are good, or why it is refused. */
export type Verified =
  | { authentication: 'accepted'; userId: number; exp: number; sid: string | undefined }
  | { authentication: 'invalid_token' | 'expired_token' };

/** What a token is issued for. */
type Subject = {
  userId: number;
  /** The session's id. */
  sid: string;
  /** When the token expires, in seconds since the epoch. */
  exp: number;
};

export type Tokens = {
  /** Makes a JSON Web Token. */
  issue(subject: Subject): string;
  /** Verifies a token without the database. */
  verify(token: string): Verified;
  issuer: string | undefined;
  /** What signs and verifies now. */
  keys(): TokenKeys;
  publicKeys(): PublicJwk[];
  /** The algorithms of the tokens that are good now. */
  algorithms(): string[];
  /** Signs and verifies with other keys. */
  rotateKeys(keys: TokenKeys): Promise<void>;
};

/** The claims of a token, in the order in which they are written. */
type Claims = {
  user_id: number;
  exp: number;
  /** OpenID Connect Front-Channel Logout 1.0, section 3. */
  sid?: string;
  sub?: string;
  iat?: number;
  jti?: string;
  iss?: string;
  aud?: string | string[];
};

type TokenOptions = {
  keys: TokenKeys;
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
export async function createTokens({ keys, issuer, audiences, now }: TokenOptions): Promise<Tokens> {
  const verify = {
    requiredClaims: ['user_id', 'exp'] satisfies (keyof Claims)[],
    // By the service's own clock, below.
    ignoreExpiration: true,
    ...(issuer !== undefined && { allowedIss: issuer }),
    ...(audiences.length > 0 && { allowedAud: [...audiences] }),
  };
  let current = await createKeyring(keys, verify);

  function claimsOf({ userId, exp, sid }: Subject): Claims {
    const [audience, ...others] = audiences;
    const iat = Math.floor(now() / 1000);
    return {
      user_id: userId,
      exp,
      sid,
      ...(current.keys.signingKeys.length > 0 && { sub: String(userId), iat, jti: randomUUID() }),
      ...(issuer !== undefined && { iss: issuer }),
      ...(audience !== undefined && { aud: others.length > 0 ? [...audiences] : audience }),
    };
  }

  return {
    issue: (subject) => current.first.sign(claimsOf(subject)),
    verify(token) {
      const claims = current.claimsOf(token);
      if (!claims) return { authentication: 'invalid_token' };
      const { user_id: userId, exp, sid } = claims;
      if (!isId(userId) || !Number.isSafeInteger(exp) || !isSessionId(sid)) return { authentication: 'invalid_token' };
      return exp * 1000 > now()
        ? { authentication: 'accepted', userId, exp, sid }
        : { authentication: 'expired_token' };
    },
    issuer,
    keys: () => current.keys,
    publicKeys: () => current.keys.signingKeys.map(({ publicJwk }) => publicJwk),
    algorithms: () => [
      ...new Set([...current.keys.signingKeys.map(({ algorithm }) => algorithm), ...(current.hasSecret ? [HMAC] : [])]),
    ],
    async rotateKeys(changed) {
      current = await createKeyring(changed, verify);
    },
  };
}

async function createKeyring(keys: TokenKeys, verify: FastifyJWTOptions['verify']) {
  const { signingKeys, secret, previousSecret } = keys;
  /** Several secrets may verify a token without a `kid`. */
  const byKid = new Map<unknown, JWT[]>();
  for (const { kid, algorithm, privateKey, publicKey } of signingKeys) {
    byKid.set(kid, [await createJwt({ private: privateKey, public: publicKey }, { algorithm, kid }, verify)]);
  }
  const secrets = [secret, previousSecret].filter((each) => each !== undefined);
  const ofSecrets = secrets.map((each) => createJwt(each, { algorithm: HMAC, noTimestamp: true }, verify));
  if (ofSecrets.length > 0) byKid.set(undefined, await Promise.all(ofSecrets));
  const [first] = [...byKid.values()].flat();
  if (!first) throw new Error('there is no key to sign with');
  return {
    keys,
    hasSecret: secrets.length > 0,
    first,
    /** Of a token that a key verifies which it names; undefined where none does. */
    claimsOf(token: string): Claims | undefined {
      for (const key of byKid.get(kidOf(first, token)) ?? []) {
        try {
          return key.verify<Claims>(token);
        } catch {
          // Malformed, forged, or not for this service; or another secret's.
        }
      }
      return undefined;
    },
  };
}

function kidOf(key: JWT, token: string): unknown {
  try {
    return key.decode<{ header: JwtHeader }>(token)?.header.kid;
  } catch {
    return undefined;
  }
}

/**
 * Signs and verifies by one key, and one algorithm: a token that names another may be forged (RFC 8725, section 3.1).
 *
 * The plugin builds its signer and verifier once, when it is registered. As keys change later, each has a Fastify of its own.
 */
async function createJwt(
  secret: FastifyJWTOptions['secret'],
  { algorithm, ...sign }: { algorithm: Algorithm | typeof HMAC; kid?: string; noTimestamp?: true },
  verify: FastifyJWTOptions['verify'],
): Promise<JWT> {
  const app = fastify();
  await app.register(jwt, {
    secret,
    sign: { ...sign, algorithm, header: { alg: algorithm, typ: undefined } },
    verify: { ...verify, algorithms: [algorithm] },
    decode: { complete: true },
  });
  return app.jwt;
}

/** Tokens of the Rails API, and of earlier versions, have none. */
function isSessionId(value: unknown): boolean {
  return value === undefined || (typeof value === 'string' && /^[\da-f-]{36}$/.test(value));
}

function isId(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value <= MAX_ID;
}
