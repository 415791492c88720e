import sql from 'sql-template-tag';
import type { Deadline } from '../errors/deadline.js';
import type { Client } from './connection/client.js';
import type { RunQuery } from './connection/run-query.js';

/** All throw DatabaseUnavailable. */
export type Secrets = {
  /** Reads a random key that all instances share. The migrations have made each. */
  read(name: 'stand_in' | 'throttle', deadline?: Deadline): Promise<string>;
  /** The key of the throttle's counters; undefined where no service has stored it. */
  findThrottleKey(): Promise<Buffer | undefined>;
  /**
   * Reads the key of the throttle's counters, which all instances share.
   *
   * @param first - stored where there is none yet
   */
  throttleKey(first: Buffer): Promise<Buffer>;
  /** Whether tokens were signed with a secret that is kept beside the database. */
  hasSecretBeside(): Promise<boolean>;
  /** Remembers that they are. */
  rememberSecretBeside(): Promise<void>;
};

/** No secret: it tells a database that was restored without its JWT secret from a new one. */
const BESIDE = { name: 'jwt_secret_beside', value: 'generated' };

/** Earlier versions derived the key at each start. */
const THROTTLE_KEY = 'throttle_key';

export function createSecrets(runQuery: RunQuery): Secrets {
  const run = <T>(operation: string, query: (model: Client['secret']) => Promise<T>, deadline?: Deadline) =>
    runQuery({ operation, table: 'secrets' }, ({ secret }) => query(secret), deadline);

  async function findThrottleKey(): Promise<Buffer | undefined> {
    const stored = await run('SELECT', (model) => model.findUnique({ where: { name: THROTTLE_KEY } }));
    return stored ? Buffer.from(stored.value, 'base64url') : undefined;
  }

  return {
    findThrottleKey,
    async read(name, deadline) {
      return (await run('SELECT', (model) => model.findUniqueOrThrow({ where: { name } }), deadline)).value;
    },
    async throttleKey(first) {
      const stored = await findThrottleKey();
      if (stored) return stored;
      // Of instances that start at once, one stores it.
      const value = first.toString('base64url');
      const insert = sql`INSERT INTO secrets (name, value) VALUES (${THROTTLE_KEY}, ${value}) ON CONFLICT DO NOTHING`;
      await runQuery({ operation: 'INSERT', table: 'secrets' }, (client) => client.$executeRaw(insert));
      return (await findThrottleKey()) ?? first;
    },
    async hasSecretBeside() {
      return (await run('SELECT', (model) => model.findUnique({ where: { name: BESIDE.name } }))) !== null;
    },
    async rememberSecretBeside() {
      // With nothing to update, Prisma would look first, and two instances that start at once would both insert.
      const update = { value: BESIDE.value };
      await run('UPSERT', (model) => model.upsert({ where: { name: BESIDE.name }, create: BESIDE, update }));
    },
  };
}
