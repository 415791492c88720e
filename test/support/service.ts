import { randomUUID } from 'node:crypto';
import { PrismaBetterSqlite3 } from '@prisma/adapter-better-sqlite3';
import { PrismaPg } from '@prisma/adapter-pg';
import type { Test } from 'tap';
import { type AppOptions, buildApp } from '#built/app.js';
import { readConfig } from '#built/config/config.js';
import { loadContract } from '#built/contract/contract.js';
import type { DatabaseUrl, Provider } from '#built/database/connection/database-url.js';
import { migrate } from '#built/database/migrations/migrate.js';
import type { StoredDigest } from '#built/database/users.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { type DatabaseOptions, openServices, type ServicesOptions } from '#built/services.js';
import { createLog } from '#built/telemetry/log.js';
import { checkReply } from './check-reply.js';
import { record, recordedLog } from './record.js';
import { type Reply, type Request, send } from './send.js';
import { storedDigest } from './stored-digest.js';

export const SECRET = 'a secret that only the tests know, and no service';

/** Budgets so high that each failure is counted and none is throttled. */
export const HIGH_BUDGETS = {
  THROTTLE_EMAIL_ADDRESS: '1000000',
  THROTTLE_ADDRESS: '1000000',
  THROTTLE_EMAIL: '1000000',
};

/** Switches the budgets of failures off. */
export const UNTHROTTLED = { THROTTLE_EMAIL_ADDRESS: '0', THROTTLE_ADDRESS: '0', THROTTLE_EMAIL: '0' };

export type Service = {
  url: string;
  /** Sends a request, and holds the reply to openapi.yaml. */
  request(request: Request): Promise<Reply>;
  /** The same, and shows the exchange in docs/api.md. */
  documented(example: string, request: Request): Promise<Reply>;
  /** Adds a user; the digest is made as the service is configured, unless it is given. */
  addUser(email: string, password: string, digest?: string | StoredDigest): Promise<number>;
  disableUser(id: number): Promise<void>;
  deleteUser(id: number): Promise<void>;
};

/**
 * An empty database of its own for a test, gone after it.
 *
 * @param encoding - of PostgreSQL; its default unless given
 */
export async function createDatabase(t: Test, provider: Provider, encoding?: string): Promise<string> {
  if (provider === 'sqlite') return `file:${t.testdir()}/sessions.db`;
  const url = process.env.TEST_POSTGRESQL;
  if (!url) throw new Error('test/support/with-postgresql.ts has to run the tests, as `npm run tap` does');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const clauses = encoding ? `ENCODING '${encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'` : '';
  await execute({ provider, href: url }, `CREATE DATABASE ${name} ${clauses}`);
  t.teardown(() => execute({ provider, href: url }, `DROP DATABASE ${name} WITH (FORCE)`));
  return new URL(name, url).href;
}

function connectTo(url: DatabaseUrl) {
  const factory =
    url.provider === 'sqlite'
      ? new PrismaBetterSqlite3({ url: url.file })
      : new PrismaPg({ connectionString: url.href });
  return factory.connect();
}

/** Runs SQL of a test's own, behind the service's back. */
export async function execute(url: DatabaseUrl, sql: string): Promise<void> {
  const connection = await connectTo(url);
  await connection.executeScript(sql).finally(() => connection.dispose());
}

/** The rows of one statement, as lists of values. */
export async function query(url: DatabaseUrl, sql: string): Promise<unknown[][]> {
  const connection = await connectTo(url);
  const result = connection.queryRaw({ sql, args: [], argTypes: [] });
  return (await result.finally(() => connection.dispose())).rows;
}

export type ServiceOptions = Pick<AppOptions, 'requestTimeout' | 'keepAliveTimeout' | 'now'> &
  Pick<ServicesOptions & DatabaseOptions, 'loginTimeout' | 'passwords'> & {
    env?: NodeJS.ProcessEnv;
    databaseUrl?: string;
    /** Where the log goes; nowhere unless given. */
    logTo?: { write(line: string): void };
    /** Runs before each handler, as the hook of a plugin does. */
    beforeHandler?: () => Promise<void>;
  };

const contract = loadContract();

/** Starts the service on a real socket and a real database. */
export async function startService(
  t: Test,
  provider: Provider,
  { env = {}, databaseUrl, logTo = recordedLog, beforeHandler, ...options }: ServiceOptions = {},
): Promise<Service> {
  const DATABASE_URL = databaseUrl ?? (await createDatabase(t, provider));
  const config = readConfig({ JWT_SECRET: SECRET, ...env, DATABASE_URL }, { issuesTokens: true });
  await migrate(config.databaseUrl);
  const log = await createLog(logTo ? 'info' : 'silent', logTo);
  const unobserved = { metrics: undefined, tracing: undefined };
  const services = await openServices({ ...config, ...unobserved, contract, log, ...options });
  const app = await buildApp({ contract, config, services, log, ...options });
  if (beforeHandler) app.addHook('preHandler', beforeHandler);
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(async () => {
    await app.close();
    await services.close();
  });
  const passwords = createPasswords(config.hashing);
  async function exchange(request: Request, example?: string): Promise<Reply> {
    const reply = await send(url, request);
    record({ example, request, reply });
    const acrossOrigins = config.corsOrigins.length > 0;
    t.same(
      checkReply(request, reply, { acrossOrigins }),
      [],
      `${request.method ?? 'GET'} ${request.path} is as the contract says`,
    );
    return reply;
  }
  return {
    url,
    request: (request) => exchange(request),
    documented: (example, request) => exchange(request, example),
    async addUser(email, password, digest) {
      const { id } = await services.database.users.add(
        email,
        typeof digest === 'string' ? storedDigest(digest) : (digest ?? (await passwords.hash(password))),
      );
      return id;
    },
    disableUser: (id) =>
      execute(config.databaseUrl, `UPDATE users SET disabled_at = CURRENT_TIMESTAMP WHERE id = ${id}`),
    deleteUser: (id) => execute(config.databaseUrl, `DELETE FROM users WHERE id = ${id}`),
  };
}
