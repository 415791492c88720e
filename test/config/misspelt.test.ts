import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { findMisspelt } from '#built/config/misspelt.js';
import { NAMES } from '#built/config/variables.js';
import { ConfigError } from '#built/errors/config-error.js';

/** The environment of a container in Kubernetes, beside Services of many names, made by a buildpack. */
const POD = {
  HOSTNAME: 'sessions-api-7d9c5c5b5-x2x8z',
  HOME: '/home/node',
  NODE_ENV: 'production',
  NODE_OPTIONS: '--enable-source-maps',
  WEB_CONCURRENCY: '2',
  MEMORY_AVAILABLE: '512',
  BP_LOG_LEVEL: 'debug',
  BPL_DEBUG_PORT: '9229',
  CNB_STACK_ID: 'heroku-24',
  POD_IP: '10.1.2.3',
  KUBERNETES_PORT: 'tcp://10.96.0.1:443',
  KUBERNETES_PORT_443_TCP_ADDR: '10.96.0.1',
  KUBERNETES_SERVICE_HOST: '10.96.0.1',
  KUBERNETES_SERVICE_PORT_HTTPS: '443',
  SESSIONS_API_PORT: 'tcp://10.96.7.7:3000',
  SESSIONS_API_PORT_3000_TCP_PROTO: 'tcp',
  SESSIONS_API_SERVICE_HOST: '10.96.7.7',
  SESSIONS_API_SERVICE_PORT: '3000',
  METRIC_PORT: 'tcp://10.96.7.9:80',
  METRICS_SERVICE_HOST: '10.96.7.8',
  DATABASE_SERVICE_HOST: '10.96.7.10',
  DATABASE_PORT: 'tcp://10.96.7.10:5432',
  DATABASE_URL_REPORTS: 'postgresql://reports/db',
  HEROKU_POSTGRESQL_COPPER_URL: 'postgresql://copper/db',
  POSTGRES_HOST: 'postgres',
  REDIS_URL: 'redis://redis',
  SMTP_HOST: 'mail',
  OTEL_LOG_LEVEL: 'error',
  OTEL_SERVICE_NAME: 'sessions',
  database_urls: 'lower case is not ours',
};

function read(env: NodeJS.ProcessEnv): { faults: string[]; warnings: string[] } {
  try {
    return { faults: [], warnings: readConfig(env, { issuesTokens: true }).warnings };
  } catch (error) {
    if (error instanceof ConfigError) return { faults: error.faults, warnings: [] };
    throw error;
  }
}

t.test('the environment of a pod', async (t) => {
  t.same(read(POD), { faults: [], warnings: [] });
});

const MISSPELT = {
  DATABSE_URL: 'DATABASE_URL',
  JWT_SECERT: 'JWT_SECRET',
  JWT_SECRET_FIEL: 'JWT_SECRET_FILE',
  TRUST_PROXIES: 'TRUST_PROXY',
  THROTLE_EMAIL: 'THROTTLE_EMAIL',
  TOKEN_TTL: 'TOKEN_TTL_SECONDS',
  LOGLEVEL: 'LOG_LEVEL',
  CORS_ORIGIN: 'CORS_ORIGINS',
};

for (const [name, meant] of Object.entries(MISSPELT)) {
  t.test(`${name} in place of ${meant}`, async (t) => {
    const { faults } = read({ ...POD, [name]: 's3cret' });
    t.equal(faults.length, 1);
    t.match(faults[0], `${name} is not a variable of this version: ${meant} is similar`);
    t.notMatch(faults[0], 's3cret', 'the value is not told');
  });
}

t.test('where the variable that is meant is set too, or its file, it is a warning', async (t) => {
  const JWT_SECRET = 'x'.repeat(32);
  const file = t.testdir({ secret: JWT_SECRET });
  for (const env of [{ JWT_SECRET }, { JWT_SECRET_FILE: `${file}/secret` }]) {
    const { faults, warnings } = read({ ...env, JWT_SECERT: JWT_SECRET });
    t.same(faults, []);
    t.match(warnings, [/^JWT_SECERT is not a variable of this version: JWT_SECRET is similar$/]);
  }
});

t.test('a name with a word more, which a newer version may know, is a warning', async (t) => {
  for (const name of ['MY_TOKEN_TTL_SECONDS', 'JWT_SECRET_NEXT', 'JWT_SECRET_NEXT_FILE', 'MY_LOG_LEVEL']) {
    const { faults, warnings } = read({ [name]: '1' });
    t.same(faults, [], name);
    t.equal(warnings.length, 1, name);
  }
});

t.test('a rollback to a version that does not know the newest variables', async (t) => {
  const newest = ['JWT_SECRET_PREVIOUS', 'REFRESH_TOKEN_TTL_SECONDS', 'SESSION_TTL_SECONDS', 'BCRYPT_PEPPER_PREVIOUS'];
  const earlier = NAMES.filter((name) => !newest.includes(name.replace(/_FILE$/, '')));
  for (const name of newest) t.same(findMisspelt({ [name]: '1' }, earlier).faults, [], name);
});

t.test('names that are short, or not close', async (t) => {
  const env = { HOSTS: 'a', PORTS: 'b', JWT_KEY: 'c', SECRET: 'd', DATABASE: 'e', DATABASE_NAME: 'f', HASHING: 'g' };
  t.same(read(env), { faults: [], warnings: [] });
});
