import { createDeadline } from '../../errors/deadline.js';
import { formatTimestamp } from '../../text/timestamp.js';
import type { Client, Transaction } from '../connection/client.js';
import type { Provider } from '../connection/database-url.js';
import type { RunQuery } from '../connection/run-query.js';
import { type Entry, type ImportedUser, type OnConflict, type Outcome, planImport } from './plan.js';
import { BATCH_SQL } from './statements.js';

/** Stores a batch in the order of its rows, and tells what became of each. Throws DatabaseUnavailable. */
export type StoreUsers = (rows: ImportedUser[], onConflict: OnConflict) => Promise<Outcome[]>;

export type UserImport = {
  /** In one transaction. Other writers wait: concurrent imports, and the upgrade of a digest at login. */
  store: StoreUsers;
  /**
   * Runs `work` in one transaction on temporary tables that shadow what it writes: nothing is stored, and its locks block no
   * other connection.
   */
  rehearse(work: (store: StoreUsers) => Promise<void>): Promise<void>;
};

type FoundRow = {
  id: number;
  email: string;
  email_confirmed_at: Date | string | null;
  password_digest: string;
  peppered: boolean | number | null;
  pepper: string | null;
  disabled_at: Date | string | null;
  created_at: Date | string;
  sessions_epoch: string;
};

const NAME = { operation: 'INSERT', table: 'users' };
/** Milliseconds; a timer takes no more. The deadline of a query ends a batch. */
const UNLIMITED = 2 ** 31 - 1;

const SHADOW = [
  'CREATE TEMPORARY TABLE users AS SELECT * FROM users',
  'CREATE UNIQUE INDEX rehearsal_id ON users (id)',
  'CREATE UNIQUE INDEX rehearsal_email ON users (email)',
];

export function createUserImport(run: RunQuery, provider: Provider): UserImport {
  const sql = BATCH_SQL[provider];
  /** Larger than all ids that were assigned before the import. */
  let firstNewId: number | undefined;

  async function write(transaction: Transaction, rows: ImportedUser[], onConflict: OnConflict): Promise<Outcome[]> {
    await transaction.$executeRaw(sql.lock);
    const ids = rows.flatMap(({ id }) => id ?? []);
    const emails = rows.map(({ email }) => email);
    const found = await transaction.$queryRaw<FoundRow[]>(sql.find(JSON.stringify(ids), JSON.stringify(emails)));
    const [last] = await transaction.$queryRaw<{ id: number | bigint }[]>(sql.lastId);
    const [lastId, at] = [Number(last?.id), Date.now()];
    firstNewId ??= lastId + 1;
    const plan = planImport(found.map(entryOf), rows, { onConflict, lastId, firstNewId, now: at });
    firstNewId = plan.firstNewId;
    for (const rekey of plan.rekeys) await transaction.$executeRaw(sql.rekey(rekey));
    if (plan.updates.length > 0) await transaction.$executeRaw(sql.update(toJson(plan.updates, at)));
    if (plan.inserts.length > 0) await transaction.$executeRaw(sql.insert(toJson(plan.inserts, at)));
    const assigned = [...plan.inserts, ...plan.rekeys].map(({ id }) => id);
    if (assigned.length > 0 && sql.followId) await transaction.$executeRaw(sql.followId(Math.max(...assigned)));
    return plan.outcomes;
  }

  return {
    store: (rows, onConflict) =>
      run(NAME, (client) =>
        client.$transaction((transaction) => write(transaction, rows, onConflict), { timeout: UNLIMITED }),
      ),
    async rehearse(work) {
      const rollback = new Error('rolled back');
      let failure: unknown;
      const rehearse = async (transaction: Transaction) => {
        for (const statement of SHADOW) await transaction.$executeRawUnsafe(statement);
        await work((rows, onConflict) => run(NAME, () => write(transaction, rows, onConflict))).catch((error) => {
          failure = error;
        });
        throw rollback;
      };
      const rehearsed = (client: Client) =>
        client.$transaction(rehearse, { timeout: UNLIMITED }).catch((error) => {
          if (error !== rollback) throw error;
        });
      await run(NAME, rehearsed, createDeadline(UNLIMITED));
      // Not from within: then the database would be to blame.
      if (failure) throw failure;
    },
  };
}

function entryOf(row: FoundRow): Entry {
  return {
    id: Number(row.id),
    email: row.email,
    emailConfirmedAt: timeOf(row.email_confirmed_at),
    passwordDigest: row.password_digest,
    peppered: row.peppered === null ? null : Boolean(row.peppered),
    pepper: row.pepper,
    disabledAt: timeOf(row.disabled_at),
    createdAt: new Date(row.created_at).getTime(),
    sessionsEpoch: row.sessions_epoch,
  };
}

function timeOf(time: Date | string | null): number | null {
  return time === null ? null : new Date(time).getTime();
}

function toJson(entries: Entry[], now: number): string {
  const format = (at: number | null) => (at === null ? null : formatTimestamp(at));
  const rows = entries.map(({ id, email, emailConfirmedAt, passwordDigest, peppered, pepper, ...entry }) => {
    const times = [entry.disabledAt, entry.createdAt, now].map(format);
    return [id, email, format(emailConfirmedAt), passwordDigest, peppered, pepper, ...times, entry.sessionsEpoch];
  });
  return JSON.stringify(rows);
}
