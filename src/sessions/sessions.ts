import { randomUUID } from 'node:crypto';
import type { Client } from '../contract/handler.js';
import type { Rotation, SessionRow, Sessions as Store } from '../database/sessions.js';
import { createDeadline, type Deadline } from '../errors/deadline.js';
import type { components } from '../generated/contract.js';
import type { Tokens } from '../tokens/tokens.js';
import { drawRefreshKeys, formatRefreshToken, parseRefreshToken, type RefreshToken } from './refresh-token.js';

/** Seconds. */
export type SessionLifetimes = {
  tokenTtlSeconds: number;
  /** How long a session goes on without a renewal; undefined where sessions are not renewed. */
  refreshTokenTtlSeconds: number | undefined;
  /** How long a session goes on at most. */
  sessionTtlSeconds: number;
};

/** What a login or a renewal replies with. */
export type Grant = components['schemas']['Session'];

/** What a user ends: by their names in the log and the metrics. */
export const REVOCATIONS = ['session', 'all_sessions', 'other_sessions'] as const;
export type Revocation = (typeof REVOCATIONS)[number];

/** By their names in the log and the metrics. */
export const RENEWAL_OUTCOMES = ['renewed', 'repeated', 'session_ended', 'refresh_token_reused'] as const;

export type Renewal = {
  outcome: (typeof RENEWAL_OUTCOMES)[number];
  /** Undefined where the refresh token is not genuine, or its session is gone. */
  userId?: number;
  /** Undefined where the session is not renewed. */
  grant?: Grant;
};

/** All throw DatabaseUnavailable. */
export type Sessions = {
  /** Whether sessions can be renewed. */
  isRenewable: boolean;
  /**
   * Starts the session of a login.
   *
   * @param user - as read before the password was verified: whatever has ended all sessions since has ended this one too
   * @param options.remember - whether it has a refresh token, if sessions are renewable
   */
  start(user: SessionUser, client: SessionClient, options?: StartOptions): Promise<Grant>;
  renew(refreshToken: string): Promise<Renewal>;
  /** Whether a session has refresh tokens. */
  isRenewed(sid: string | undefined): Promise<boolean>;
  /** The active sessions of a user, the newest first, at most 100. */
  list(userId: number): Promise<SessionRow[]>;
};

type SessionUser = { id: number; sessionsEpoch: string };
type SessionClient = Pick<Client, 'address' | 'userAgent'>;
type StartOptions = { remember?: boolean | undefined; deadline?: Deadline };

type SessionsOptions = {
  store: Pick<Store, 'add' | 'find' | 'renew' | 'end' | 'list'>;
  tokens: Pick<Tokens, 'issue'>;
  lifetimes: SessionLifetimes;
  /** Milliseconds for a renewal. */
  timeout: number;
  /** Milliseconds since the epoch. */
  now: () => number;
};

const MAX_LISTED = 100;

/** Milliseconds after a renewal in which its refresh token is returned again: requests are parallel, or a reply was lost. */
const SAME_RENEWAL = 60_000;

/** Starts and renews sessions, and lists them. */
export function createSessions({ store, tokens, lifetimes, timeout, now }: SessionsOptions): Sessions {
  const { tokenTtlSeconds, refreshTokenTtlSeconds, sessionTtlSeconds } = lifetimes;

  /** A token never outlives its session. In seconds since the epoch. */
  const expOf = (at: number, end: number) => Math.floor(Math.min(at + 1_000 * tokenTtlSeconds, end) / 1_000);

  function grantOf(
    { id: sid, userId, rotation }: SessionRow,
    secret: Buffer | undefined,
    exp: number,
    at: number,
  ): Grant {
    const auth_token = tokens.issue({ userId, sid, exp });
    if (!rotation || !secret) return { auth_token };
    const refresh_token = formatRefreshToken({ sid, generation: rotation.generation, secret }, rotation.key);
    return { auth_token, expires_in: exp - Math.floor(at / 1_000), refresh_token };
  }

  /** When a session ends that was started at one time, and is used at another; in milliseconds since the epoch. */
  const endOf = (createdAt: number, usedAt: number, idleSeconds: number) =>
    Math.min(usedAt + 1_000 * idleSeconds, createdAt + 1_000 * sessionTtlSeconds);

  async function start(user: SessionUser, client: SessionClient, { remember = true, deadline }: StartOptions = {}) {
    const at = now();
    const keys = remember && refreshTokenTtlSeconds !== undefined ? drawRefreshKeys() : undefined;
    const end = endOf(at, at, refreshTokenTtlSeconds ?? 0);
    const exp = keys ? expOf(at, end) : expOf(at, Number.POSITIVE_INFINITY);
    const session: SessionRow = {
      id: randomUUID(),
      userId: user.id,
      epoch: user.sessionsEpoch,
      createdAt: at,
      lastUsedAt: at,
      expiresAt: keys ? end : 1_000 * exp,
      address: client.address,
      userAgent: client.userAgent,
      rotation: keys && { key: keys.key, hash: keys.hash, generation: 1, parent: 0 },
    };
    await store.add(session, deadline);
    return grantOf(session, keys?.secret, exp, at);
  }

  /** Judges a genuine token by its session. Undefined where another renewal has come first. */
  async function rotate(
    { generation, secret }: RefreshToken,
    session: SessionRow & { rotation: Rotation },
    idleSeconds: number,
    deadline: Deadline,
  ): Promise<Renewal | undefined> {
    const { userId, rotation } = session;
    const at = now();
    if (generation < rotation.generation && generation !== rotation.parent) {
      await store.end(userId, session.id);
      return { outcome: 'refresh_token_reused', userId };
    }
    const end = endOf(session.createdAt, at, idleSeconds);
    // A token would have less than a second.
    if (1_000 * expOf(at, Math.min(session.expiresAt, end)) <= at) return { outcome: 'session_ended', userId };
    if (generation <= rotation.generation && at - session.lastUsedAt < SAME_RENEWAL) {
      const exp = expOf(at, Math.min(session.expiresAt, end));
      return { outcome: 'repeated', userId, grant: grantOf(session, secret, exp, at) };
    }
    const renewed = {
      ...session,
      lastUsedAt: at,
      expiresAt: Math.max(session.expiresAt, end),
      // A database that has lost a renewal, at a failover, knows an older generation.
      rotation: {
        ...rotation,
        generation: Math.max(generation, rotation.generation) + 1,
        parent: generation,
      },
    };
    if (!(await store.renew(renewed, rotation.generation, deadline))) return undefined;
    return { outcome: 'renewed', userId, grant: grantOf(renewed, secret, expOf(at, end), at) };
  }

  return {
    isRenewable: refreshTokenTtlSeconds !== undefined,
    start,
    async renew(text) {
      const refreshToken = parseRefreshToken(text);
      const ended: Renewal = { outcome: 'session_ended' };
      const deadline = createDeadline(timeout);
      while (refreshToken && refreshTokenTtlSeconds !== undefined) {
        const session = await store.find(refreshToken.sid, deadline);
        if (!hasRotation(session) || !refreshToken.isGenuine(session.rotation)) return ended;
        const renewal = await rotate(refreshToken, session, refreshTokenTtlSeconds, deadline);
        if (renewal) return renewal;
      }
      return ended;
    },
    isRenewed: async (sid) => sid !== undefined && hasRotation(await store.find(sid)),
    list: (userId) => store.list(userId, { now: now(), limit: MAX_LISTED }),
  };
}

function hasRotation(session: SessionRow | undefined): session is SessionRow & { rotation: Rotation } {
  return session?.rotation !== undefined;
}
