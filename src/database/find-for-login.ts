import { createHmac } from 'node:crypto';
import sql, { empty, join, raw, type Sql } from 'sql-template-tag';
import type { Deadline } from '../errors/deadline.js';
import type { RunQuery } from './connection/run-query.js';
import type { Secrets } from './secrets.js';
import { type Counter, type CounterRow, countersIn } from './throttle-counters.js';
import { hasPassword, NO_PASSWORD, type StoredDigest, type User } from './users.js';

export type FoundForLogin = {
  user: User | undefined;
  /** The user's, or a stand-in's where the user has none; undefined where no stand-in was found. */
  digest: StoredDigest | undefined;
  /** By key, expired ones too. */
  counters: Map<string, Counter>;
  /** Milliseconds since the epoch; 0 where it never was, or there is no such user. */
  unlockedAt: number;
  passwordChangedAt: number;
};

/**
 * Finds the user of a login, and its counters, in one query: Prisma's two model queries cost twice as much.
 *
 * For an unknown email, and a user without a password, the digest is a stand-in's: another user's, drawn by a keyed hash of
 * the email. So the forms of digests come in their proportion, the same email always costs the same, and a stand-in is the
 * neighbour of no email.
 */
export type FindForLogin = (login: Login, deadline?: Deadline) => Promise<FoundForLogin>;

type Login = {
  /** Normalized. */
  email: string;
  /** At least one. */
  counterKeys: string[];
};

type Time = Date | string | null;
/** A number in SQLite. */
type Flag = boolean | number | null;

/** The same user and stand-in in each row, and a counter or none. */
type Row = {
  id: number | bigint | null;
  password_digest: string | null;
  peppered: Flag;
  pepper: string | null;
  disabled_at: Time;
  unlocked_at: Time;
  password_changed_at: Time;
  stand_in: string | null;
  stand_in_peppered: Flag;
  stand_in_pepper: string | null;
  sessions_epoch: string | null;
  last_login_at: Time;
} & (CounterRow | { key: null });

export function createFindForLogin(run: RunQuery, secrets: Pick<Secrets, 'read'>): FindForLogin {
  let secret: string | undefined;

  return async (login, deadline) => {
    // All instances draw the same stand-in.
    secret ??= await secrets.read('stand_in', deadline);
    const draw = createHmac('sha256', secret).update(login.email).digest().readUInt32BE();
    const query = select(login, draw);
    const rows = await run(
      { operation: 'SELECT', table: 'users' },
      (client) => client.$queryRaw<Row[]>(query),
      deadline,
    );
    const [row] = rows;
    const user = row && userIn(row);
    return {
      user,
      digest:
        user && hasPassword(user) ? user : row && digestOf(row.stand_in, row.stand_in_peppered, row.stand_in_pepper),
      counters: countersIn(rows.filter(hasCounter)),
      unlockedAt: timeOf(row?.unlocked_at),
      passwordChangedAt: timeOf(row?.password_changed_at),
    };
  };
}

/** A user's place in the draw, and who takes part in it: as the index has them. */
const PLACE = sql`(id * 2654435769 % 4294967296)`;
const HAS_PASSWORD = raw(`password_digest <> '${NO_PASSWORD}'`);

/**
 * The stand-in is the user with the next place after the draw, or with the first one: a user who is added or removed changes
 * the stand-in of few emails. With `key IN`, or a condition on the time, PostgreSQL may read the whole table of counters.
 */
function select({ email, counterKeys }: Login, draw: number) {
  const byKey = counterKeys.map(
    (key) => sql`SELECT key, failures, expires_at FROM throttle_counters WHERE key = ${key}`,
  );
  const first = (condition: Sql) =>
    sql`(SELECT id FROM users WHERE ${HAS_PASSWORD} ${condition} ORDER BY ${PLACE} LIMIT 1)`;
  const drawn = sql`coalesce(${first(sql`AND ${PLACE} >= ${draw}`)}, ${first(empty)})`;
  // SQLite prepares this for each login; it prepares joins of tables faster than subqueries.
  return sql`SELECT known.id, known.password_digest, known.peppered, known.pepper, known.disabled_at,
      known.unlocked_at, known.password_changed_at, known.sessions_epoch, known.last_login_at,
      drawn.password_digest AS stand_in, drawn.peppered AS stand_in_peppered, drawn.pepper AS stand_in_pepper,
      counters.key, counters.failures, counters.expires_at
    FROM (SELECT 1) AS one_row
    LEFT JOIN users AS known ON known.email = ${email}
    LEFT JOIN users AS drawn ON drawn.id = ${drawn}
    LEFT JOIN (${join(byKey, ' UNION ALL ')}) AS counters ON true`;
}

function userIn(row: Row): User | undefined {
  const { id, disabled_at, sessions_epoch, last_login_at } = row;
  const digest = digestOf(row.password_digest, row.peppered, row.pepper);
  if (id === null || sessions_epoch === null || !digest) return undefined;
  return {
    id: Number(id),
    ...digest,
    disabled: disabled_at !== null,
    sessionsEpoch: sessions_epoch,
    lastLoginAt: timeOf(last_login_at),
  };
}

function digestOf(passwordDigest: string | null, peppered: Flag, pepper: string | null): StoredDigest | undefined {
  if (passwordDigest === null) return undefined;
  return { passwordDigest, peppered: peppered === null ? null : Boolean(peppered), pepper };
}

function timeOf(time: Time | undefined): number {
  return time ? new Date(time).getTime() : 0;
}

function hasCounter(row: Row): row is Row & CounterRow {
  return row.key !== null;
}
