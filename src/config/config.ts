import { isIP } from 'node:net';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { cleanEnv, EnvError, makeExactValidator } from 'envalid';
import type { DatabaseUrl } from '../database/connection/database-url.js';
import { ConfigError } from '../errors/config-error.js';
import type { TrustProxy } from '../http/client-address.js';
import type { AdmissionLimits } from '../passwords/admission.js';
import { BCRYPT_MAX_COST, type Hashing } from '../passwords/passwords.js';
import type { PepperOptions } from '../passwords/peppers.js';
import { hashesForPool } from '../passwords/thread-pool.js';
import { LOG_LEVELS, type LogLevel } from '../telemetry/log.js';
import type { TracingOptions } from '../telemetry/tracing.js';
import { parseWholeNumber } from '../text/whole-number.js';
import type { Budgets } from '../throttle/rules.js';
import { parseAdminTokens } from '../tokens/admin-tokens.js';
import { parseJwkSet, type SigningKey } from '../tokens/jwk-set.js';
import { JWT_SECRET_MIN_BYTES } from '../tokens/jwt-secret.js';
import { addTo, integer, oneOf, text } from './env-validators.js';
import { findMisspelt } from './misspelt.js';
import { parameterWarningsOf, tlsFaultOf, withVerifyFull } from './postgresql-url.js';
import { readSecretFiles, SECRETS } from './secret-files.js';
import { readTracingOptions } from './tracing-options.js';

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

const HASHINGS = ['argon2id', 'bcrypt'] as const;

/** Ten years: more is a mistake, such as milliseconds for seconds. */
const TOKEN_TTL_MAX_SECONDS = 315_360_000;

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
  const specs = specsOf({ needsSecret: issuesTokens && !secrets.has('JWT_KEYS') && set.JWT_KEYS === undefined });
  const values = cleanEnv({ ...set, ...Object.fromEntries(secrets) }, specs, {
    reporter: addTo(faults, (name) => {
      // Only the file's error is reported.
      if (fileFaults.has(name)) return undefined;
      return secrets.has(name) ? `${name}_FILE: the content` : name;
    }),
  });
  const misspelt = findMisspelt(set, [...Object.keys(specs), 'UV_THREADPOOL_SIZE']);
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
    settings: describeSettings(set, specs, values),
    warnings: [
      ...misspelt.warnings,
      ...(values.DATABASE_URL.provider === 'postgresql' ? parameterWarningsOf(values.DATABASE_URL.href) : []),
    ],
  };
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

function describeSettings(set: NodeJS.ProcessEnv, specs: object, values: object): Record<string, string> {
  const defaults = new Map(Object.entries(specs).map(([name, spec]) => [name, spec.default]));
  const isChanged = ([name, value]: [string, unknown]) =>
    set[name] !== undefined && !isDeepStrictEqual(value, defaults.get(name));
  const isSecret = (name: string) => SECRETS.some((secret) => secret === name);
  const changed = Object.entries(values).filter(isChanged);
  const files = SECRETS.map((name) => `${name}_FILE`).filter((name) => set[name] !== undefined);
  return Object.fromEntries([
    ...changed.map(([name]) => [name, isSecret(name) ? 'set' : (set[name] ?? '')]),
    ...files.map((name) => [name, 'set']),
  ]);
}

/** @param needsSecret - whether JWT_SECRET must be set on PostgreSQL */
const specsOf = ({ needsSecret }: { needsSecret: boolean }) => ({
  HOST: text({ default: '127.0.0.1' }),
  PORT: integer(0, 65_535)({ default: 3000 }),
  DATABASE_URL: databaseUrl({ default: parseDatabaseUrl('file:./data/sessions.db') }),
  DATABASE_POOL_MAX: integer(1, 1_000)({ default: 10 }),
  JWT_SECRET: jwtSecret({
    default: undefined,
    desc: 'must be set when DATABASE_URL is PostgreSQL and JWT_KEYS_FILE is not set, so that all instances sign with the same secret',
    requiredWhen: ({ DATABASE_URL }) =>
      needsSecret && (DATABASE_URL as DatabaseUrl | undefined)?.provider === 'postgresql',
  }),
  JWT_SECRET_PREVIOUS: jwtSecret({ default: undefined }),
  JWT_KEYS: jwtKeys({ default: [] }),
  ADMIN_TOKENS: adminTokens({ default: [] }),
  JWT_ISSUER: jwtIssuer({ default: undefined }),
  JWT_AUDIENCE: jwtAudience({ default: [] }),
  TOKEN_TTL_SECONDS: integer(1, TOKEN_TTL_MAX_SECONDS)({ default: 86_400 }),
  REFRESH_TOKEN_TTL_SECONDS: integer(1, TOKEN_TTL_MAX_SECONDS)({ default: undefined }),
  SESSION_TTL_SECONDS: integer(1, TOKEN_TTL_MAX_SECONDS)({ default: 7_776_000 }),
  PASSWORD_MIN_LENGTH: integer(8, 64)({ default: 8 }),
  PASSWORD_HASHING: oneOf(HASHINGS)({ default: 'argon2id' }),
  BCRYPT_COST: integer(4, BCRYPT_MAX_COST)({ default: 12 }),
  BCRYPT_PEPPER: text({ default: undefined }),
  BCRYPT_PEPPER_PREVIOUS: text({ default: undefined }),
  HASH_QUEUE_MAX: integer(0, 1_000_000)({ default: 1_000 }),
  HASH_WAIT_MAX_MS: integer(0, 60_000)({ default: 2_000 }),
  THROTTLE_EMAIL_ADDRESS: integer(0, 1_000_000)({ default: 10 }),
  THROTTLE_ADDRESS: integer(0, 1_000_000)({ default: 100 }),
  THROTTLE_EMAIL: integer(0, 1_000_000)({ default: 200 }),
  LOG_LEVEL: oneOf(LOG_LEVELS)({ default: 'info' }),
  TRUST_PROXY: trustProxy({ default: false }),
  SHUTDOWN_DELAY_SECONDS: integer(0, 300)({ default: 0 }),
  METRICS_PORT: integer(0, 65_535)({ default: undefined }),
  METRICS_HOST: text({ default: undefined }),
  CORS_ORIGINS: corsOrigins({ default: [] }),
});

const jwtSecret = makeExactValidator((value) => {
  if (Buffer.byteLength(value) >= JWT_SECRET_MIN_BYTES) return value;
  throw new EnvError(`must have at least ${JWT_SECRET_MIN_BYTES} bytes`);
});

const jwtKeys = makeExactValidator((value) => orEnvError(() => parseJwkSet(value)));

const adminTokens = makeExactValidator((value) => orEnvError(() => parseAdminTokens(value)));

function orEnvError<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new EnvError(error instanceof Error ? error.message : String(error));
  }
}

/** OpenID Connect Discovery 1.0, section 3: its metadata is below it. HTTP serves tests. */
const jwtIssuer = makeExactValidator((value) => {
  if (/^https?:\/\/[^?#\s]+$/.test(value) && URL.canParse(value)) return value;
  throw new EnvError('must be a URL without query and fragment, such as https://login.example.com');
});

const jwtAudience = makeExactValidator((value) => {
  const audiences = value.split(',').map((audience) => audience.trim());
  if (audiences.every(Boolean)) return audiences;
  throw new EnvError('must be a list of audiences, such as https://api.example.com');
});

const databaseUrl = makeExactValidator(parseDatabaseUrl);

function parseDatabaseUrl(value: string): DatabaseUrl {
  if (value.startsWith('file://') && URL.canParse(value)) {
    return { provider: 'sqlite', file: fileURLToPath(value) };
  }
  if (/^file:.*[^/]$/.test(value) && !value.includes(':memory:')) {
    return { provider: 'sqlite', file: value.slice('file:'.length) };
  }
  // An @ in the path is part of a password in which a / is not percent-encoded.
  if (/^postgres(ql)?:\/\/[^/]*(\/[^@]*)?$/.test(value) && URL.canParse(value)) {
    const fault = tlsFaultOf(value);
    if (fault) throw new EnvError(fault);
    return { provider: 'postgresql', href: withVerifyFull(value) };
  }
  throw new EnvError('must be file:PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE');
}

const trustProxy = makeExactValidator<TrustProxy>((value) => {
  if (value === 'true' || value === 'false') return value === 'true';
  const proxies = parseWholeNumber(value, 0, Number.POSITIVE_INFINITY);
  if (proxies !== undefined) return (_address, hop) => hop < proxies;
  const addresses = value.split(',').map((address) => address.trim());
  if (addresses.every(isAddressOrSubnet)) return addresses;
  throw new EnvError('must be true, false, a number of proxies, or a list of addresses and subnets');
});

function isAddressOrSubnet(value: string): boolean {
  const [address = '', bits, ...more] = value.split('/');
  const version = isIP(address);
  // A zone is a name of an interface.
  if (version === 0 || address.includes('%') || more.length > 0) return false;
  return bits === undefined || parseWholeNumber(bits, 1, version === 4 ? 32 : 128) !== undefined;
}

const corsOrigins = makeExactValidator((value) => {
  const origins = value.split(',').map((origin) => origin.trim());
  if (value.includes('*')) {
    throw new EnvError('must list each origin: with * any page could try passwords from the addresses of its visitors');
  }
  if (origins.every(isOrigin)) return origins;
  throw new EnvError('must be a list of origins as browsers send them, such as https://app.example.com');
});

/** As the Fetch standard serializes it: in lower case, with neither path nor default port. */
function isOrigin(value: string): boolean {
  return /^https?:/.test(value) && URL.canParse(value) && new URL(value).origin === value;
}
