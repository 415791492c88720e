import { BCRYPT_MAX_COST } from '../passwords/formats/digest.js';
import { LOG_LEVELS } from '../telemetry/log-level.js';
import {
  adminTokens,
  corsOrigins,
  databaseUrl,
  host,
  integer,
  jwtAudience,
  jwtIssuer,
  jwtKeys,
  jwtSecret,
  oneOf,
  type Reader,
  text,
  trustProxy,
} from './env-validators.js';

/** What the help and docs/configuration.md say of a variable. */
type Variable = {
  /** Plain Markdown, in one sentence. */
  desc: string;
  readBy: readonly Reader[];
  /** What a value must be. */
  rule?: string;
  default?: unknown;
  /** The default in words, where its value does not say it. */
  defaultDisplay?: string;
  /** The value is a secret, which may be in a file that NAME_FILE names. */
  secret?: { mayBeEmpty: boolean };
};

const SECRET = { mayBeEmpty: false };
/** Its empty file is none: between two rotations. */
const PREVIOUS_SECRET = { mayBeEmpty: true };

/** Ten years: more is a mistake, such as milliseconds for seconds. */
const TTL_MAX_SECONDS = 315_360_000;

/**
 * The variables of the service: validation, misspelt names, `--help` and docs/configuration.md follow from this list.
 * A new name must have one word more than a similar one, or be unlike all: see misspelt.ts.
 */
export const VARIABLES = {
  HOST: host({
    default: '127.0.0.1',
    readBy: ['serve', 'health'],
    desc: 'address to listen on; `0.0.0.0` for all; of `localhost`, the first one',
  }),
  PORT: integer(0, 65_535, { default: 3000, readBy: ['serve', 'health'], desc: 'port to listen on; 0: any free one' }),
  DATABASE_URL: databaseUrl({
    default: { provider: 'sqlite', file: './data/sessions.db' },
    defaultDisplay: '`file:./data/sessions.db`',
    secret: SECRET,
    readBy: ['serve', 'migrate', 'users'],
    desc: 'SQLite or PostgreSQL',
  }),
  DATABASE_POOL_MAX: integer(1, 1_000, {
    default: 10,
    readBy: ['serve'],
    desc: 'maximum of connections to PostgreSQL, per instance',
  }),
  JWT_SECRET: jwtSecret({
    default: undefined,
    defaultDisplay: 'made at random, on SQLite',
    secret: SECRET,
    readBy: ['serve'],
    desc: 'signs tokens with HS256; must be set on PostgreSQL unless keys sign',
  }),
  JWT_SECRET_PREVIOUS: jwtSecret({
    default: undefined,
    secret: PREVIOUS_SECRET,
    readBy: ['serve'],
    desc: 'verifies tokens that `JWT_SECRET` does not: the secret before, or the next one',
  }),
  JWT_KEYS: jwtKeys({
    default: [],
    secret: SECRET,
    readBy: ['serve', 'keys'],
    desc: 'the keys that sign tokens, in place of `JWT_SECRET`; `keys` changes the file',
  }),
  ADMIN_TOKENS: adminTokens({
    default: [],
    secret: SECRET,
    readBy: ['serve'],
    desc: 'admin tokens of the application’s backend, which manages users over HTTP; without them it can’t',
  }),
  JWT_ISSUER: jwtIssuer({
    default: undefined,
    readBy: ['serve'],
    desc: '`iss` of tokens: where verifiers reach the service. Switches `/.well-known/openid-configuration` on',
  }),
  JWT_AUDIENCE: jwtAudience({
    default: [],
    readBy: ['serve'],
    desc: '`aud` of tokens',
  }),
  TOKEN_TTL_SECONDS: integer(1, TTL_MAX_SECONDS, {
    default: 86_400,
    readBy: ['serve', 'keys'],
    desc: 'lifetime of a token',
  }),
  REFRESH_TOKEN_TTL_SECONDS: integer(1, TTL_MAX_SECONDS, {
    default: undefined,
    defaultDisplay: 'off',
    readBy: ['serve'],
    desc: 'switches renewal on: how long a session goes on without one. 2592000 (30 days) suits most applications',
  }),
  SESSION_TTL_SECONDS: integer(1, TTL_MAX_SECONDS, {
    default: 7_776_000,
    readBy: ['serve'],
    desc: 'with renewal: how long a session goes on at most',
  }),
  PASSWORD_MIN_LENGTH: integer(8, 64, {
    default: 8,
    readBy: ['serve', 'users'],
    desc: 'fewest characters of a password that is set. 15 where a password is all that a login takes',
  }),
  PASSWORD_HASHING: oneOf(['argon2id', 'bcrypt'], {
    default: 'argon2id',
    readBy: ['serve', 'users'],
    desc: 'hash of new passwords. A login accepts every known format, and then stores this one',
  }),
  BCRYPT_COST: integer(4, BCRYPT_MAX_COST, {
    default: 12,
    readBy: ['serve', 'users'],
    desc: 'each step doubles the work. 16 takes some four seconds of a core',
  }),
  BCRYPT_PEPPER: text({
    default: undefined,
    secret: SECRET,
    readBy: ['serve', 'users'],
    desc: 'Devise’s `config.pepper`: appended to a password before bcrypt hashes it',
  }),
  BCRYPT_PEPPER_PREVIOUS: text({
    default: undefined,
    secret: PREVIOUS_SECRET,
    readBy: ['serve', 'users'],
    desc: 'the pepper of digests that `BCRYPT_PEPPER` does not fit: the pepper before, or the next one',
  }),
  THROTTLE_EMAIL_ADDRESS: integer(0, 1_000_000, {
    default: 10,
    readBy: ['serve', 'users'],
    desc: 'consecutive failures of one email from one address; each further one doubles the wait, from 1 s to 15 min. 0: no limit',
  }),
  THROTTLE_ADDRESS: integer(0, 1_000_000, {
    default: 100,
    readBy: ['serve', 'users'],
    desc: 'failures from one address (IPv6: one /64) in an hour. 0: no limit',
  }),
  THROTTLE_EMAIL: integer(0, 1_000_000, {
    default: 200,
    readBy: ['serve', 'users'],
    desc: 'failures of one email in a day, from any address. 0: no limit',
  }),
  HASH_QUEUE_MAX: integer(0, 1_000_000, {
    default: 1_000,
    readBy: ['serve'],
    desc: 'logins that may wait for a core; the service answers more with 503',
  }),
  HASH_WAIT_MAX_MS: integer(0, 60_000, {
    default: 2_000,
    readBy: ['serve'],
    desc: 'longest expected wait for a core, in milliseconds; the service answers logins that would wait longer with 503',
  }),
  LOG_LEVEL: oneOf(LOG_LEVELS, { default: 'info', readBy: ['serve'], desc: 'least severe level that is logged' }),
  CORS_ORIGINS: corsOrigins({
    default: [],
    readBy: ['serve'],
    desc: 'whose pages may log in from a browser and read the replies; not `*`',
  }),
  TRUST_PROXY: trustProxy({
    default: false,
    readBy: ['serve'],
    desc: 'whose `X-Forwarded-For` names the client',
  }),
  SHUTDOWN_DELAY_SECONDS: integer(0, 300, {
    default: 0,
    readBy: ['serve'],
    desc: 'after SIGTERM: how long the service still answers logins while `/readyz` returns 503, so that a proxy notices',
  }),
  METRICS_PORT: integer(0, 65_535, {
    default: undefined,
    defaultDisplay: 'off',
    readBy: ['serve'],
    desc: 'separate port for `GET /metrics`, in Prometheus’ format',
  }),
  METRICS_HOST: host({
    default: undefined,
    defaultDisplay: 'that of `HOST`',
    readBy: ['serve'],
    desc: 'address to serve the metrics on; only Prometheus should reach it',
  }),
} satisfies Record<string, Variable>;

/** Variables of libraries, which read them by themselves. */
const OF_LIBRARIES: Record<string, Variable> = {
  UV_THREADPOOL_SIZE: {
    defaultDisplay: 'number of cores',
    readBy: ['serve'],
    desc: 'libuv’s number of threads, which hash. On Node.js 20 the default is 4: set it to the number of cores',
  },
  'OTEL_…': {
    defaultDisplay: 'off',
    readBy: ['serve'],
    desc: 'OpenTelemetry’s: `OTEL_EXPORTER_OTLP_ENDPOINT`, `…_TRACES_ENDPOINT` or `OTEL_TRACES_EXPORTER` switches tracing on',
  },
};

const all = Object.entries<Variable>({ ...VARIABLES, ...OF_LIBRARIES }).map(([name, variable]) => ({
  name,
  /** The variable that names a file with the value. */
  file: variable.secret && `${name}_FILE`,
  ...variable,
}));

/** The variables whose values are secrets. */
export const SECRETS = all.flatMap(({ name, file, secret }) => (secret && file ? [{ name, file, ...secret }] : []));

/** The names of all variables. */
export const NAMES = [...all.map(({ name }) => name), ...SECRETS.map(({ file }) => file)];

/** The variables that a command reads. */
export function variablesOf(reader: Reader) {
  return all.filter(({ readBy }) => readBy.includes(reader));
}

/** The default, as Markdown. */
export function describeDefault({ default: value, defaultDisplay }: Variable): string {
  if (defaultDisplay !== undefined) return defaultDisplay;
  return value === undefined || String(value) === '' ? 'none' : `\`${value}\``;
}

/** Which values are valid: of numbers the range alone. */
export function describeValues({ rule = '' }: Variable): string {
  return rule.replace('a whole number from ', '');
}
