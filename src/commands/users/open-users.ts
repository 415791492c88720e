import { readConfig } from '../../config/config.js';
import type { DatabaseUrl } from '../../database/connection/database-url.js';
import { openDatabase } from '../../database/database.js';
import { migrate } from '../../database/migrations/migrate.js';
import type { OneTimeTokens } from '../../database/one-time-tokens.js';
import type { Sessions } from '../../database/sessions.js';
import { MAX_ID, type UserPage, type UserRecord, type Users } from '../../database/users.js';
import { createPasswords, type Passwords } from '../../passwords/passwords.js';
import { namePeppers, readPeppers } from '../../passwords/peppers.js';
import { type FailedLogins, readFailedLogins } from '../../throttle/lockouts.js';
import { UserNotFound } from '../../users/find-user.js';
import { keepHeapSmall } from '../heap.js';
import { printable, reportCreated } from '../print.js';
import { startProgress } from '../progress.js';

/** What a verb works with. */
export type OpenUsers = {
  users: Users;
  sessions: Sessions;
  oneTimeTokens: OneTimeTokens;
  passwords: Passwords;
  passwordMinLength: number;
  databaseUrl: DatabaseUrl;
  /** @param address - see readFailedLogins */
  failedLogins(user: UserRecord, address: string | undefined): Promise<FailedLogins[]>;
};

/** Rows of one query. */
const PAGE = 1000;

/**
 * Applies the migrations, and opens the database for `work`.
 *
 * @param mayCreate - whether to create a missing SQLite file; by default it is an error
 * @param hashes - whether the verb makes digests: then all peppers of stored ones must be configured
 * @throws ConfigError, DatabaseUnavailable
 */
export async function withUsers(
  env: NodeJS.ProcessEnv,
  work: (opened: OpenUsers) => Promise<void>,
  { mayCreate = false, hashes = false } = {},
): Promise<void> {
  const { databaseUrl, hashing, peppers, passwordMinLength, budgets } = readConfig(env, { issuesTokens: false });
  await migrate(databaseUrl, { mayCreate, onCreated: reportCreated });
  const database = await openDatabase(databaseUrl);
  try {
    const { users, sessions, oneTimeTokens, secrets, findForLogin } = database;
    const failedLogins: OpenUsers['failedLogins'] = async ({ email }, address) => {
      const key = await secrets.findThrottleKey();
      return key ? readFailedLogins(findForLogin, { budgets, key, now: Date.now() }, { email, address }) : [];
    };
    const named = await (hashes ? readPeppers : namePeppers)(peppers, await database.findPeppers());
    const passwords = createPasswords({ ...hashing, peppers: named });
    await work({ users, sessions, oneTimeTokens, passwords, passwordMinLength, databaseUrl, failedLogins });
  } finally {
    await database.close();
  }
}

/**
 * @param key - an id or an email
 * @throws UserNotFound
 */
export async function findUser(users: Users, key: string): Promise<UserRecord> {
  const isId = /^\d+$/.test(key);
  const id = Number(key);
  const user = isId ? id <= MAX_ID && (await users.find({ id })) : await users.find({ email: key });
  if (user) return user;
  throw new UserNotFound(`there is no user with the ${isId ? 'id' : 'email'} ${printable(key)}`);
}

/** Reads all users by id, in pages, and shows the progress. */
export async function* readPages(users: Users): AsyncGenerator<UserRecord[]> {
  keepHeapSmall();
  const progress = startProgress();
  const total = await users.count();
  let seen = 0;
  for (let after: number | undefined = 0; after !== undefined; ) {
    const page: UserPage = await users.list({ after, limit: PAGE });
    yield page.users;
    after = page.next?.id;
    seen += page.users.length;
    progress.report(seen, seen / total);
  }
  progress.stop();
}
