import { availableParallelism } from 'node:os';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { ConfigError } from '#built/errors/config-error.js';
import { jwkSet, privateJwks } from '../support/keys.js';

const serving = { issuesTokens: true };

function faultsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readConfig(env, serving);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

t.test('the defaults', async (t) => {
  const defaults = {
    host: '127.0.0.1',
    port: 3000,
    databaseUrl: { provider: 'sqlite', file: './data/sessions.db' },
    databasePoolMax: 10,
    jwtSecret: undefined,
    jwtSecretPrevious: undefined,
    signingKeys: [],
    adminTokens: [],
    jwtIssuer: undefined,
    jwtAudiences: [],
    tokenTtlSeconds: 86_400,
    refreshTokenTtlSeconds: undefined,
    sessionTtlSeconds: 7_776_000,
    passwordMinLength: 8,
    hashing: { algorithm: 'argon2id' },
    peppers: { current: undefined, previous: undefined },
    admission: { slots: availableParallelism() < 4 ? availableParallelism() : 5, maxQueue: 1_000, maxWait: 2_000 },
    budgets: { emailAddress: 10, address: 100, email: 200 },
    logLevel: 'info',
    trustProxy: false,
    tracing: undefined,
    shutdownDelaySeconds: 0,
    metrics: undefined,
    corsOrigins: [],
    settings: {},
    warnings: [],
  };
  t.same(readConfig({}, serving), defaults);
  t.same(readConfig({ PORT: '', JWT_SECRET: '', DATABASE_URL: '' }, serving), defaults, 'an empty value is none');
});

t.test('what each variable takes', async (t) => {
  const { settings, ...config } = readConfig(
    {
      HOST: '0.0.0.0',
      PORT: '0',
      DATABASE_URL: 'postgres://u:p@host:5432/db',
      DATABASE_POOL_MAX: '1',
      JWT_SECRET: 'x'.repeat(32),
      JWT_ISSUER: 'https://login.example.com',
      JWT_AUDIENCE: 'https://api.example.com, admin',
      TOKEN_TTL_SECONDS: '60',
      REFRESH_TOKEN_TTL_SECONDS: '60',
      SESSION_TTL_SECONDS: '61',
      PASSWORD_MIN_LENGTH: '15',
      PASSWORD_HASHING: 'bcrypt',
      BCRYPT_COST: '4',
      BCRYPT_PEPPER: 'salt and pepper',
      BCRYPT_PEPPER_PREVIOUS: 'thyme',
      UV_THREADPOOL_SIZE: '1',
      HASH_QUEUE_MAX: '5',
      HASH_WAIT_MAX_MS: '0',
      THROTTLE_EMAIL_ADDRESS: '1',
      THROTTLE_ADDRESS: '2',
      THROTTLE_EMAIL: '0',
      LOG_LEVEL: 'silent',
      TRUST_PROXY: '10.0.0.0/8, ::1',
      SHUTDOWN_DELAY_SECONDS: '5',
      METRICS_PORT: '9464',
      CORS_ORIGINS: 'https://app.example.com, http://localhost:5173',
    },
    serving,
  );
  t.same(config, {
    host: '0.0.0.0',
    port: 0,
    databaseUrl: { provider: 'postgresql', href: 'postgres://u:p@host:5432/db' },
    databasePoolMax: 1,
    jwtSecret: 'x'.repeat(32),
    jwtSecretPrevious: undefined,
    signingKeys: [],
    adminTokens: [],
    jwtIssuer: 'https://login.example.com',
    jwtAudiences: ['https://api.example.com', 'admin'],
    tokenTtlSeconds: 60,
    refreshTokenTtlSeconds: 60,
    sessionTtlSeconds: 61,
    passwordMinLength: 15,
    hashing: { algorithm: 'bcrypt', cost: 4 },
    peppers: { current: 'salt and pepper', previous: 'thyme' },
    admission: { slots: 2, maxQueue: 5, maxWait: 0 },
    budgets: { emailAddress: 1, address: 2, email: 0 },
    logLevel: 'silent',
    trustProxy: ['10.0.0.0/8', '::1'],
    tracing: undefined,
    shutdownDelaySeconds: 5,
    metrics: { host: '0.0.0.0', port: 9464 },
    corsOrigins: ['https://app.example.com', 'http://localhost:5173'],
    warnings: [],
  });
  t.match(settings, { HOST: '0.0.0.0', TRUST_PROXY: '10.0.0.0/8, ::1', DATABASE_URL: 'set', BCRYPT_PEPPER: 'set' });
  t.notMatch(JSON.stringify(settings), /xxx|u:p|salt and pepper|thyme/, 'no secret is among them');
  t.same(readConfig({ DATABASE_URL: 'file:///var/lib/x.db' }, serving).databaseUrl, {
    provider: 'sqlite',
    file: '/var/lib/x.db',
  });
  t.equal(readConfig({ TRUST_PROXY: 'true' }, serving).trustProxy, true);
  t.same(readConfig({ PORT: '0', METRICS_PORT: '0', METRICS_HOST: '10.0.0.5' }, serving).metrics, {
    host: '10.0.0.5',
    port: 0,
  });
  t.throws(() => readConfig({ PORT: '8080', METRICS_PORT: '8080' }, serving), {
    message: /METRICS_PORT must differ from PORT/,
  });
});

t.test('a number in TRUST_PROXY counts proxies', async (t) => {
  const { trustProxy } = readConfig({ TRUST_PROXY: '2' }, serving);
  if (typeof trustProxy !== 'function') return t.fail('is no function');
  t.same(
    [0, 1, 2].map((hop) => trustProxy('192.0.2.1', hop)),
    [true, true, false],
  );
});

const wrong: NodeJS.ProcessEnv = {
  PORT: '65536 -1 1.5 0x10 http',
  DATABASE_URL: 'mysql://h/d postgresql:h file: file::memory: file:data/ sessions.db',
  DATABASE_POOL_MAX: '0 1001 many',
  JWT_SECRET_PREVIOUS: `short ${'x'.repeat(31)}`,
  JWT_SECRET: `short ${'x'.repeat(31)}`,
  ADMIN_TOKENS: `short ${'x'.repeat(31)} ${'x'.repeat(32)}, ,${'x'.repeat(32)} ${'x'.repeat(32)},,${'y'.repeat(32)} ${'ü'.repeat(32)} ${'x'.repeat(32)}=x`,
  JWT_ISSUER: 'login.example.com https://login.example.com/?a https://login.example.com#a ftp://login.example.com',
  JWT_AUDIENCE: ', a,,b',
  TOKEN_TTL_SECONDS: '0 -1 1d 315360001',
  PASSWORD_HASHING: 'md5 ARGON2ID argon2i',
  PASSWORD_MIN_LENGTH: '7 65 0 eight',
  BCRYPT_COST: '3 17 32 12.5',
  HASH_QUEUE_MAX: '-1 many',
  HASH_WAIT_MAX_MS: '2s 60001',
  THROTTLE_EMAIL_ADDRESS: '-1 off',
  THROTTLE_ADDRESS: '1000001',
  THROTTLE_EMAIL: '1.5',
  LOG_LEVEL: 'verbose INFO',
  SHUTDOWN_DELAY_SECONDS: '-1 5s 301',
  METRICS_PORT: '65536 on 3000',
  CORS_ORIGINS: [
    '* https://app.example.com,* null app.example.com https://app.example.com/ https://app.example.com/login',
    'https://app.example.com:443 https://App.example.com https://*.example.com https://me@app.example.com',
    'https://app.example.com, ftp://app.example.com file:///app',
  ].join(' '),
  TRUST_PROXY: 'yes 10.0.0.0/0 10.0.0.0/33 ::1/129 1.2.3.4/8/8 proxy.example',
};

for (const [name, values = ''] of Object.entries(wrong)) {
  t.test(`what ${name} does not take`, async (t) => {
    for (const value of values.split(' ')) {
      const faults = faultsOf({ [name]: value });
      t.equal(faults.length, 1, value);
      t.match(faults[0], new RegExp(`^${name} must `));
      if (/^(JWT_SECRET|ADMIN_TOKENS)/.test(name)) t.notOk(faults[0]?.includes(value), 'the value is not told');
    }
  });
}

t.test('admin tokens are separated by commas or lines', async (t) => {
  const [one, other] = ['x'.repeat(32), `${'y'.repeat(43)}=`];
  for (const text of [`${one},${other}`, `${one}, ${other}`, `${one}\n${other}`, `${one}\r\n${other}`])
    t.same(readConfig({ ADMIN_TOKENS: text }, serving).adminTokens, [one, other]);
});

t.test('secrets from files', async (t) => {
  const directory = t.testdir({
    url: 'postgres://u:p@host:5432/db\n',
    secret: `${' x'.repeat(16)}\n\n`,
    pepper: 'salt and pepper\r\n',
    empty: '',
    short: 'short',
    mysql: 'mysql://user:pa55word@host/db',
    bytes: Buffer.from(`${'x'.repeat(32)}\xff`, 'latin1'),
    long: 'x'.repeat(65_536),
    tooLong: 'x'.repeat(65_537),
  });
  const inFiles = (files: Record<string, string>) =>
    Object.fromEntries(Object.entries(files).map(([name, file]) => [`${name}_FILE`, `${directory}/${file}`]));

  t.same(readConfig({ ...inFiles({ JWT_SECRET: 'secret' }), PORT: '3000' }, serving).settings, {
    JWT_SECRET_FILE: 'set',
  });

  const env = inFiles({ DATABASE_URL: 'url', JWT_SECRET: 'secret', BCRYPT_PEPPER: 'pepper' });
  for (const issuesTokens of [true, false]) {
    const { databaseUrl, jwtSecret, peppers } = readConfig(env, { issuesTokens });
    t.same(databaseUrl, { provider: 'postgresql', href: 'postgres://u:p@host:5432/db' });
    t.equal(jwtSecret, `${' x'.repeat(16)}\n`, 'one newline at the end is not part of it');
    t.same(peppers, { current: 'salt and pepper', previous: undefined });
  }

  t.same(faultsOf({ ...env, JWT_SECRET: 'x'.repeat(32), DATABASE_URL: 'file:x.db', PORT: 'http' }), [
    'DATABASE_URL_FILE must be unset where DATABASE_URL is set',
    'JWT_SECRET_FILE must be unset where JWT_SECRET is set',
    'PORT must be a whole number from 0 to 65535',
  ]);
  t.same(faultsOf({ ...env, ...inFiles({ JWT_SECRET: 'nowhere', BCRYPT_PEPPER: 'empty', DATABASE_URL: '' }) }), [
    'DATABASE_URL_FILE must name a file that can be read: EISDIR: illegal operation on a directory',
    'JWT_SECRET_FILE must name a file that can be read: ENOENT: no such file or directory',
    'BCRYPT_PEPPER_FILE must name a file that is not empty',
  ]);
  t.same(faultsOf(inFiles({ JWT_SECRET_PREVIOUS: 'empty' })), [], 'an empty file is no previous secret');
  t.equal(readConfig(inFiles({ JWT_SECRET_PREVIOUS: 'empty' }), serving).jwtSecretPrevious, undefined);
  t.equal(readConfig(inFiles({ BCRYPT_PEPPER_PREVIOUS: 'empty' }), serving).peppers.previous, undefined);
  t.equal(readConfig(inFiles({ JWT_SECRET_PREVIOUS: 'long' }), serving).jwtSecretPrevious, 'x'.repeat(65_536));
  t.same(faultsOf(inFiles({ JWT_SECRET: 'short', DATABASE_URL: 'mysql' })), [
    'DATABASE_URL_FILE: the content must be file:PATH or postgresql://USER:PASSWORD@HOST:PORT/DATABASE',
    'JWT_SECRET_FILE: the content must be text of at least 32 bytes',
  ]);
  t.same(faultsOf(inFiles({ JWT_SECRET: 'bytes' })), ['JWT_SECRET_FILE must name a file of UTF-8 text']);
  t.same(faultsOf({ JWT_SECRET_FILE: 'the secret itself, by mistake' }), [
    'JWT_SECRET_FILE must name a file that can be read: ENOENT: no such file or directory',
  ]);
  t.same(faultsOf(inFiles({ JWT_SECRET: 'long' })), []);
  for (const JWT_SECRET_FILE of [`${directory}/tooLong`, '/dev/zero']) {
    t.same(faultsOf({ JWT_SECRET_FILE }), ['JWT_SECRET_FILE must name a file of at most 65536 bytes']);
  }
  t.match(faultsOf(inFiles({ DATABASE_URL: 'url' })), [/^JWT_SECRET must be set when DATABASE_URL is PostgreSQL/]);
});

t.test('PostgreSQL needs JWT_SECRET where tokens are issued', async (t) => {
  const env = { DATABASE_URL: 'postgresql://host/db' };
  t.match(faultsOf(env), [/^JWT_SECRET must be set/]);
  t.same(faultsOf({ ...env, JWT_KEYS: jwkSet(privateJwks('ES256')) }), [], 'or keys');
  t.match(faultsOf({ ...env, JWT_SECRET: 'short' }), [/^JWT_SECRET must be text of at least 32 bytes/]);
  t.equal(readConfig(env, { issuesTokens: false }).jwtSecret, undefined);
  t.equal(
    readConfig({ ...env, JWT_SECRET: 'ä'.repeat(16) }, serving).jwtSecret,
    'ä'.repeat(16),
    'bytes, not characters',
  );
});
