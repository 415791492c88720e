import { randomUUID } from 'node:crypto';
import type { Contract } from './contract/contract.js';
import type { MayBeUnavailable, OperationId } from './contract/handler.js';
import type { DatabaseUrl } from './database/connection/database-url.js';
import type { DatabaseReplaced } from './database/connection/sqlite-file.js';
import { type Database, openDatabase } from './database/database.js';
import { type Admission, type AdmissionLimits, createAdmission } from './http/admission.js';
import { createHashQueue } from './passwords/hash-queue.js';
import { createPasswordUpgrades, type PasswordUpgrades } from './passwords/password-upgrades.js';
import { createPasswords, type Hashing, hashMemoryFor, type Passwords } from './passwords/passwords.js';
import { type PepperOptions, type Peppers, readPeppers } from './passwords/peppers.js';
import { createSessions, type SessionLifetimes, type Sessions } from './sessions/sessions.js';
import type { Metrics } from './telemetry/metrics.js';
import type { Tracing } from './telemetry/tracing.js';
import { deriveKey } from './throttle/keys.js';
import { type FailedLogins, readFailedLogins } from './throttle/lockouts.js';
import type { Budgets } from './throttle/rules.js';
import { createThrottle, type Throttle } from './throttle/throttle.js';
import { type AdminTokens, createAdminTokens } from './tokens/admin-tokens.js';
import { type JwtSecretOptions, readJwtSecret } from './tokens/jwt-secret.js';
import { createTokens, type TokenKeys, type Tokens } from './tokens/tokens.js';
import { createLastLogins, type LastLogins } from './users/last-logins.js';

/** Opened before the web server, and closed after it. */
export type Services = {
  contract: Contract;
  database: Database;
  tokens: Tokens;
  sessions: Sessions;
  passwords: Passwords;
  passwordUpgrades: PasswordUpgrades;
  admission: Admission;
  throttle: Throttle;
  /** The failures of an email that count against all addresses. */
  failedLogins(email: string): Promise<FailedLogins[]>;
  lastLogins: LastLogins;
  adminTokens: AdminTokens;
  /** Characters of a password that is set. */
  passwordMinLength: number;
  /** Milliseconds from the end of a login's body to its reply, without the hash. */
  loginTimeout: number;
  /** Finishes what is being written, and closes the database. */
  close(): Promise<void>;
};

type HandlerServices = Omit<Services, 'close' | 'admission' | 'adminTokens'> & {
  /** Aborts when the service is told to stop. */
  draining: AbortSignal;
};

/** The services of an operation's handler. Without 503 in the contract, it gets none that may be unavailable. */
export type ServicesOf<Id extends OperationId> =
  MayBeUnavailable<Id> extends true
    ? HandlerServices
    : Omit<HandlerServices, 'database' | 'throttle' | 'sessions' | 'failedLogins'>;

export type ServicesOptions = SessionLifetimes & {
  contract: Contract;
  hashing: Hashing & { peppers?: Peppers };
  /** Replaces those that `hashing` describes. */
  passwords?: Passwords;
  admission: AdmissionLimits;
  budgets: Budgets;
  tokenKeys: TokenKeys;
  /** The `iss` and `aud` of tokens. */
  jwtIssuer: string | undefined;
  jwtAudiences: readonly string[];
  adminTokens: readonly string[];
  passwordMinLength: number;
  /** Of the throttle's counters; all instances know it. */
  throttleKey: Buffer;
  log: Log;
  metrics: Metrics | undefined;
  tracing: Tracing | undefined;
  /** See Services. */
  loginTimeout?: number;
  /** Milliseconds since the epoch. */
  now?: () => number;
};

type OpenServicesOptions = Omit<ServicesOptions, 'tokenKeys' | 'throttleKey'> &
  DatabaseOptions &
  JwtSecretOptions & { peppers: PepperOptions };

export type DatabaseOptions = {
  databaseUrl: DatabaseUrl;
  databasePoolMax: number;
  onDatabaseReplaced?: (error: DatabaseReplaced) => void;
};

/** Milliseconds: the shortest deadline of a login. */
const LOGIN_TIMEOUT = 2_500;
/** Milliseconds for the database after the longest wait for a hash, which may be configured. */
const AFTER_WAIT = 500;

type Log = Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>;

/**
 * Opens the database, and makes the services on it.
 *
 * @throws DatabaseUnavailable, and another ExpectedError where there is no secret of tokens, or no pepper of passwords
 */
export async function openServices(options: OpenServicesOptions): Promise<Services> {
  const { databaseUrl, databasePoolMax, onDatabaseReplaced, signingKeys, log, metrics, tracing } = options;
  const database = await openDatabase(databaseUrl, {
    timeout: loginTimeoutOf(options),
    poolMax: databasePoolMax,
    writable: true,
    onFailure: metrics?.databaseFailed,
    onReplaced: onDatabaseReplaced,
    observe: tracing && ((query, run) => tracing.inDatabaseSpan({ system: databaseUrl.provider, ...query }, run)),
  });
  try {
    const secret = await readJwtSecret(options, database, (message) => log.warn({}, message));
    const tokenKeys = { signingKeys, secret, previousSecret: options.jwtSecretPrevious };
    const throttleKey = await throttleKeyOf(database, secret);
    const hashing = { ...options.hashing, peppers: await readPeppers(options.peppers, await database.findPeppers()) };
    const services = await createServices(database, { ...options, hashing, tokenKeys, throttleKey });
    // Measures one hash, for the admission.
    void services.passwords.hash(randomUUID());
    return services;
  } catch (error) {
    await database.close();
    throw error;
  }
}

/**
 * What keys the throttle's counters. The first start stores it, derived as in earlier versions: so no lockout ends, neither at the
 * upgrade nor when JWT_SECRET changes later.
 */
async function throttleKeyOf({ secrets }: Pick<Database, 'secrets'>, jwtSecret: string | undefined): Promise<Buffer> {
  return secrets.throttleKey(deriveKey(jwtSecret ?? (await secrets.read('throttle'))));
}

function loginTimeoutOf({ loginTimeout, admission }: Pick<ServicesOptions, 'loginTimeout' | 'admission'>): number {
  return loginTimeout ?? Math.max(LOGIN_TIMEOUT, admission.maxWait + AFTER_WAIT);
}

/** Makes the services on an open database, with metrics and traces. */
export async function createServices(database: Database, options: ServicesOptions): Promise<Services> {
  const { contract, hashing, budgets, tokenKeys, throttleKey, passwordMinLength } = options;
  const { log, metrics, tracing, now = Date.now } = options;
  const { slots } = options.admission;
  const loginTimeout = loginTimeoutOf(options);
  const { jwtIssuer: issuer, jwtAudiences: audiences } = options;
  const tokens = await createTokens({ keys: tokenKeys, issuer, audiences, now });
  const admission = createAdmission(options.admission);
  const onHashed = (times: { waited: number; took: number }) => {
    admission.hashed(times.took);
    metrics?.hashed(times);
  };
  const hashQueue = createHashQueue({ slots, maxMemory: hashMemoryFor(slots) }, { onHashed, observe: tracing?.inSpan });
  metrics?.watchHashQueue(hashQueue);
  metrics?.watchDatabase(database);
  const passwords = options.passwords ?? createPasswords(hashing, hashQueue);
  const passwordUpgrades = createPasswordUpgrades(database.users, passwords, log);
  const throttle = createThrottle(database.throttleCounters, budgets, throttleKey, now);
  const lastLogins = createLastLogins(database.users, log, now);
  return {
    contract,
    database,
    tokens,
    sessions: createSessions({ store: database.sessions, tokens, lifetimes: options, timeout: loginTimeout, now }),
    passwords,
    passwordUpgrades,
    admission,
    throttle,
    failedLogins(email) {
      const counted = { budgets, key: throttleKey, now: now() };
      return readFailedLogins(database.findForLogin, counted, { email, address: undefined });
    },
    lastLogins,
    adminTokens: createAdminTokens(options.adminTokens),
    passwordMinLength,
    loginTimeout,
    async close() {
      await passwordUpgrades.stop();
      await lastLogins.flush();
      await throttle.flush().catch((err) => log.warn({ err }, 'known addresses are lost'));
      await database.close();
    },
  };
}
