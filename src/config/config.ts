import { isDeepStrictEqual } from 'node:util';
import { cleanEnv } from 'envalid';
import type { DatabaseUrl } from '../database/connection/database-url.js';
import { ConfigError } from '../errors/config-error.js';
import type { AdmissionLimits } from '../http/admission.js';
import type { TrustProxy } from '../http/client-address.js';
import type { Hashing } from '../passwords/passwords.js';
import type { PepperOptions } from '../passwords/peppers.js';
import { hashesForPool } from '../passwords/thread-pool.js';
import type { LogLevel } from '../telemetry/log-level.js';
import type { TracingOptions } from '../telemetry/tracing.js';
import type { Budgets } from '../throttle/rules.js';
import type { SigningKey } from '../tokens/jwk-set.js';
import { addTo } from './env-validators.js';
import { findMisspelt } from './misspelt.js';
import { parameterWarningsOf } from './postgresql-url.js';
import { readSecretFiles } from './secret-files.js';
import { readTracingOptions } from './tracing-options.js';
import { NAMES, SECRETS, VARIABLES } from './variables.js';

export type Config = {
  host: string;
  port: number;
  databaseUrl: DatabaseUrl;
  /** Connections to PostgreSQL at once. */
  databasePoolMax: number;
  /** Undefined if unset. On SQLite without keys, the service then generates one and keeps it beside the database. */
  jwtSecret: string | undefined;
  /** The first one signs. If empty, the secret signs. */
  signingKeys: SigningKey[];
  /** Of the application's backend. If empty, nobody calls its operations. */
  adminTokens: string[];
  /** Verifies the tokens that `jwtSecret` does not. */
  jwtSecretPrevious: string | undefined;
  /** The `iss` of tokens. */
  jwtIssuer: string | undefined;
  /** The `aud` of tokens. */
  jwtAudiences: string[];
  tokenTtlSeconds: number;
  /** Undefined where sessions are not renewed. */
  refreshTokenTtlSeconds: number | undefined;
  sessionTtlSeconds: number;
  /** Characters of a password that is set. */
  passwordMinLength: number;
  hashing: Hashing;
  peppers: PepperOptions;
  admission: AdmissionLimits;
  budgets: Budgets;
  logLevel: LogLevel;
  trustProxy: TrustProxy;
  /** Undefined where tracing is off. */
  tracing: TracingOptions | undefined;
  shutdownDelaySeconds: number;
  /** The address of the metrics; undefined where they are off. */
  metrics: { host: string; port: number } | undefined;
  /** Origins whose pages may read the replies, as in `https://app.example.com`. */
  corsOrigins: string[];
  /** The variables that are set to other values than their defaults, as text, for the operator. A secret's value is `set`. */
  settings: Record<string, string>;
  /** What the operator should check: names of variables that are close to the service's, parameters that are ignored. */
  warnings: string[];
};

/**
 * Reads the configuration from environment variables and the files that they name. An empty variable counts as unset.
 *
 * @param issuesTokens - whether the command needs JWT_SECRET
 * @param again - whether the files have been read before: then they must be regular files
 * @throws ConfigError with all errors at once
 */
export function readConfig(
  env: NodeJS.ProcessEnv,
  { issuesTokens, again = false }: { issuesTokens: boolean; again?: boolean },
): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const { secrets, faults: fileFaults } = readSecretFiles(set, again);
  const faults = [...fileFaults.values()];
  const given = { ...set, ...Object.fromEntries(secrets) };
  const values = cleanEnv(given, VARIABLES, {
    reporter: addTo(faults, (name) => {
      // Only the file's error is reported.
      if (fileFaults.has(name)) return undefined;
      return secrets.has(name) ? `${name}_FILE: the content` : name;
    }),
  });
  if (issuesTokens) faults.push(...secretFaults(given));
  const misspelt = findMisspelt(set, NAMES);
  faults.push(...misspelt.faults);
  const tracing = readTracingOptions(set, faults);
  // 0 is any free port. Invalid values can't be compared.
  if (faults.length === 0 && values.METRICS_PORT && values.METRICS_PORT === values.PORT)
    faults.push('METRICS_PORT must differ from PORT');
  if (faults.length === 0) faults.push(...lifetimeFaults(values));
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    host: values.HOST,
    port: values.PORT,
    databaseUrl: values.DATABASE_URL,
    databasePoolMax: values.DATABASE_POOL_MAX,
    jwtSecret: values.JWT_SECRET,
    jwtSecretPrevious: values.JWT_SECRET_PREVIOUS,
    signingKeys: values.JWT_KEYS,
    adminTokens: values.ADMIN_TOKENS,
    jwtIssuer: values.JWT_ISSUER,
    jwtAudiences: values.JWT_AUDIENCE,
    tokenTtlSeconds: values.TOKEN_TTL_SECONDS,
    refreshTokenTtlSeconds: values.REFRESH_TOKEN_TTL_SECONDS,
    sessionTtlSeconds: values.SESSION_TTL_SECONDS,
    passwordMinLength: values.PASSWORD_MIN_LENGTH,
    hashing:
      values.PASSWORD_HASHING === 'bcrypt'
        ? { algorithm: 'bcrypt', cost: values.BCRYPT_COST }
        : { algorithm: 'argon2id' },
    peppers: { current: values.BCRYPT_PEPPER, previous: values.BCRYPT_PEPPER_PREVIOUS },
    admission: { slots: hashesForPool(env), maxQueue: values.HASH_QUEUE_MAX, maxWait: values.HASH_WAIT_MAX_MS },
    budgets: {
      emailAddress: values.THROTTLE_EMAIL_ADDRESS,
      address: values.THROTTLE_ADDRESS,
      email: values.THROTTLE_EMAIL,
    },
    logLevel: values.LOG_LEVEL,
    trustProxy: values.TRUST_PROXY,
    tracing,
    shutdownDelaySeconds: values.SHUTDOWN_DELAY_SECONDS,
    metrics:
      values.METRICS_PORT === undefined
        ? undefined
        : { host: values.METRICS_HOST ?? values.HOST, port: values.METRICS_PORT },
    corsOrigins: values.CORS_ORIGINS,
    settings: describeSettings(set, values),
    warnings: [
      ...misspelt.warnings,
      ...(values.DATABASE_URL.provider === 'postgresql' ? parameterWarningsOf(values.DATABASE_URL.href) : []),
    ],
  };
}

function secretFaults(given: NodeJS.ProcessEnv): string[] {
  const signing = ['JWT_SECRET', 'JWT_SECRET_FILE', 'JWT_KEYS', 'JWT_KEYS_FILE'];
  const isPostgresql = /^postgres(ql)?:\/\//.test(given.DATABASE_URL ?? '');
  if (!isPostgresql || signing.some((name) => given[name] !== undefined)) return [];
  return [
    'JWT_SECRET must be set when DATABASE_URL is PostgreSQL and JWT_KEYS_FILE is not set, ' +
      'so that all instances sign with the same secret',
  ];
}

/** Each session outlives its refresh tokens, and those the tokens. */
function lifetimeFaults(values: {
  TOKEN_TTL_SECONDS: number;
  REFRESH_TOKEN_TTL_SECONDS: number | undefined;
  SESSION_TTL_SECONDS: number;
}): string[] {
  const { TOKEN_TTL_SECONDS: token, REFRESH_TOKEN_TTL_SECONDS: refresh, SESSION_TTL_SECONDS: session } = values;
  if (refresh === undefined) return [];
  return [
    ...(token > refresh ? ['TOKEN_TTL_SECONDS must not be more than REFRESH_TOKEN_TTL_SECONDS'] : []),
    ...(refresh > session ? ['REFRESH_TOKEN_TTL_SECONDS must not be more than SESSION_TTL_SECONDS'] : []),
  ];
}

function describeSettings(set: NodeJS.ProcessEnv, values: object): Record<string, string> {
  const defaults = new Map(Object.entries(VARIABLES).map(([name, variable]) => [name, variable.default]));
  const isChanged = ([name, value]: [string, unknown]) =>
    set[name] !== undefined && !isDeepStrictEqual(value, defaults.get(name));
  const isSecret = (name: string) => SECRETS.some((secret) => secret.name === name);
  const changed = Object.entries(values).filter(isChanged);
  const files = SECRETS.map(({ file }) => file).filter((name) => set[name] !== undefined);
  return Object.fromEntries([
    ...changed.map(([name]) => [name, isSecret(name) ? 'set' : (set[name] ?? '')]),
    ...files.map((name) => [name, 'set']),
  ]);
}
