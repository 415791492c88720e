import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/**
 * A refresh token: `rt_`, and in base64url the session's id, the generation, the secret of the session, and a tag.
 *
 * The database has the key of the tag and a hash of the secret. So nobody makes a token from a dump alone, there is no other
 * key to keep, and a token is made again if its reply was lost.
 */
export type RefreshToken = {
  /** The session's id. */
  sid: string;
  /** How many renewals precede it. */
  generation: number;
  /** Random, the same in all refresh tokens of a session. */
  secret: Buffer;
};

/** What the session stores: see RefreshToken. */
type RefreshKeys = { key: string; hash: string };

const PREFIX = 'rt_';
const SID_BYTES = 16;
const GENERATION_BYTES = 4;
const SECRET_BYTES = 16;
const TAG_BYTES = 32;
const PAYLOAD_BYTES = SID_BYTES + GENERATION_BYTES + SECRET_BYTES;

/** Draws the keys of a session, and the secret of its refresh tokens. */
export function drawRefreshKeys(): RefreshKeys & { secret: Buffer } {
  const secret = randomBytes(SECRET_BYTES);
  return { key: randomBytes(32).toString('base64url'), hash: hashOf(secret).toString('base64url'), secret };
}

export function formatRefreshToken({ sid, generation, secret }: RefreshToken, key: string): string {
  const number = Buffer.alloc(GENERATION_BYTES);
  number.writeUInt32BE(generation);
  const payload = Buffer.concat([Buffer.from(sid.replaceAll('-', ''), 'hex'), number, secret]);
  return PREFIX + Buffer.concat([payload, tagOf(payload, key)]).toString('base64url');
}

/**
 * Reads a refresh token.
 *
 * @returns undefined if it is malformed; else the token, which is genuine if `isGenuine` says so
 */
export function parseRefreshToken(
  text: string,
): (RefreshToken & { isGenuine(keys: RefreshKeys): boolean }) | undefined {
  const bytes = Buffer.from(text.slice(PREFIX.length), 'base64url');
  if (!text.startsWith(PREFIX) || bytes.length !== PAYLOAD_BYTES + TAG_BYTES) return undefined;
  const payload = bytes.subarray(0, PAYLOAD_BYTES);
  const secret = payload.subarray(SID_BYTES + GENERATION_BYTES);
  return {
    sid: payload.toString('hex', 0, SID_BYTES).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    generation: payload.readUInt32BE(SID_BYTES),
    secret,
    isGenuine({ key, hash }) {
      const isSigned = timingSafeEqual(bytes.subarray(PAYLOAD_BYTES), tagOf(payload, key));
      const isSecret = timingSafeEqual(Buffer.from(hash, 'base64url'), hashOf(secret));
      return isSigned && isSecret;
    },
  };
}

function tagOf(payload: Buffer, key: string): Buffer {
  return createHmac('sha256', key).update(payload).digest();
}

function hashOf(secret: Buffer): Buffer {
  return createHash('sha256').update(secret).digest();
}
