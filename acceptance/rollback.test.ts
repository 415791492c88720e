/** docs/migrating.md and docs/rollback.md, there and back: what an app of before accepts once its users have come back to it. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { createPasswords } from '#built/passwords/passwords.js';
import { command } from '../test/support/command.js';
import { MAIN, run, start, stop } from '../test/support/executable.js';
import { createDatabase, SECRET } from '../test/support/service.js';
import { login } from '../test/support/steady-logins.js';
import { blocksOf } from './guide.js';

const fileAt = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const APPS = fileAt('rollback/');
const VENV = fileAt('../node_modules/.cache/rollback');
const PYTHON = `${VENV}/bin/python`;

type Account = { email: string; password: string };
/** Whether the app lets a user in; else an error's message. */
type Outcome = boolean | string;

type Source = {
  /** As the guide's headings name it. */
  name: string;
  file: string;
  args: string[];
  /** Whose ids the service keeps. */
  table?: string;
  /** Files without which it can't run. */
  needs?: string[];
  env?: NodeJS.ProcessEnv;
  /** Of the service. */
  serviceEnv?: NodeJS.ProcessEnv;
  /** For the app as it was before the guide's changes to it. */
  stockEnv?: NodeJS.ProcessEnv;
  /** What the app says of a digest that the service made: as it was before, and as the guide has it. */
  reads: { [hashing in Hashing]: { stock?: Outcome; now: Outcome } };
  addedUsers: 'inserted' | 'sign up';
  disabledUsers: 'refused' | 'listed';
};

const HASHINGS = ['bcrypt', 'argon2id'] as const;
type Hashing = (typeof HASHINGS)[number];

const PSQL = ['/usr/bin/psql', '/usr/bin/jq'];
/** Debian's packages. */
const RUBY = ['ruby-activerecord', 'ruby-devise', 'ruby-pg'].map((name) => `/usr/share/doc/${name}`);

const PEPPER = 'a pepper of the app';
const [HASHERS = ''] = await blocksOf('rollback.md', '## Back to Django', 'python');
const NO_MATCH = { bcrypt: { now: true }, argon2id: { now: false } };

const SOURCES: Source[] = [
  {
    name: 'Rails',
    file: '/usr/bin/ruby',
    args: ['rails.rb'],
    needs: RUBY,
    table: 'users',
    reads: NO_MATCH,
    addedUsers: 'inserted',
    disabledUsers: 'listed',
  },
  {
    name: 'Devise',
    file: '/usr/bin/ruby',
    args: ['devise.rb'],
    needs: RUBY,
    table: 'users',
    env: { PEPPER },
    serviceEnv: { BCRYPT_PEPPER: PEPPER },
    reads: NO_MATCH,
    addedUsers: 'inserted',
    disabledUsers: 'listed',
  },
  {
    name: 'Django',
    file: PYTHON,
    args: ['django_app.py'],
    table: 'auth_user',
    env: { HASHERS },
    stockEnv: {},
    reads: { bcrypt: { stock: false, now: true }, argon2id: { stock: true, now: true } },
    addedUsers: 'inserted',
    disabledUsers: 'refused',
  },
  {
    name: 'better-auth',
    file: process.execPath,
    args: ['better-auth.js'],
    stockEnv: { STOCK: '1' },
    reads: {
      bcrypt: { stock: 'Invalid password hash', now: true },
      argon2id: { stock: 'Invalid password hash', now: true },
    },
    addedUsers: 'sign up',
    disabledUsers: 'listed',
  },
];

t.setTimeout(900_000);

/** Why a test is skipped; false where nothing is missing. */
function lacks(files: string[]): string | false {
  const missing = files.find((file) => !existsSync(file));
  return missing !== undefined && `there is no ${missing}`;
}

async function installPython(t: Test): Promise<void> {
  for (const [file, ...args] of [
    ['python3', '-m', 'venv', VENV],
    [`${VENV}/bin/pip`, 'install', '--quiet', '--requirement', `${APPS}requirements.txt`],
  ] as const) {
    t.match(await command(APPS, file, ...args), { code: 0 }, `${file} ${args[0]}`);
  }
}

async function execute(file: string, args: string[], env: NodeJS.ProcessEnv, cwd: string, input = ''): Promise<string> {
  const running = promisify(execFile)(file, args, { cwd, env: { PATH: process.env.PATH, ...env } });
  running.child.stdin?.end(input);
  return (await running).stdout;
}

/** What libpq, and so `psql`, reads. */
function libpqEnv(url: string): NodeJS.ProcessEnv {
  const { hostname, port, username, password, pathname } = new URL(url);
  return {
    DATABASE_URL: url,
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: password,
    PGDATABASE: pathname.slice(1),
  };
}

async function runSql(statements: string[], env: NodeJS.ProcessEnv, cwd: string, variables: string[] = []) {
  const options = ['--no-psqlrc', '--quiet', '--tuples-only', '--set=ON_ERROR_STOP=1', '--single-transaction'];
  const psql = [...options, ...variables.map((variable) => `--set=${variable}`), '--file=-'];
  return execute('/usr/bin/psql', psql, env, cwd, statements.join(''));
}

const accountOf = (name: string, password = `${name} has a password`): Account => ({
  email: `${name}@bar.com`,
  password,
});
const STAYS = accountOf('stays');
const LOGS_IN = accountOf('logs-in');
const CHANGES = accountOf('changes');
const CHANGED = accountOf('changes', 'another password');
const DISABLED = accountOf('disabled');
const DELETED = accountOf('deleted');
const ADDED = accountOf('added');

/** Lets happen what may. */
async function useService(t: Test, cwd: string, env: NodeJS.ProcessEnv): Promise<void> {
  const users = async (args: string[], input = '') =>
    t.match(await run(['users', ...args], { cwd, env, input }), { code: 0 }, `users ${args[0]}`);
  const service = await start(t, { cwd, env });
  t.equal((await login(service.url, LOGS_IN.password, LOGS_IN.email)).status, 200);
  await service.written('stored the password in the current form');
  await users(['set-password', CHANGES.email], CHANGED.password);
  await users(['disable', DISABLED.email]);
  await users(['delete', DELETED.email, '--yes']);
  await users(['add', ADDED.email], ADDED.password);
  await stop(t, service);
}

for (const source of SOURCES) {
  for (const hashing of HASHINGS) {
    const { name, file, args, needs = [], table, reads, addedUsers, disabledUsers } = source;
    t.test(`${name}, and back with ${hashing}`, { skip: lacks([...PSQL, ...needs]) }, async (t) => {
      if (file === PYTHON) await installPython(t);
      const appEnv = libpqEnv(await createDatabase(t, 'postgresql'));
      const cwd = t.testdir();
      const app = (verb: string, users: Account[], env = source.env) =>
        execute(file, [...args, verb], { ...appEnv, ...env }, APPS, JSON.stringify(users));
      const logIn = async (users: Account[], env?: NodeJS.ProcessEnv): Promise<Outcome[]> =>
        JSON.parse(await app('log-in', users, env));
      await app('sign-up', [STAYS, LOGS_IN, CHANGES, DISABLED, DELETED]);
      await runSql(await blocksOf('migrating.md', `### ${name}`, 'sql'), appEnv, cwd);

      const env = {
        DATABASE_URL: await createDatabase(t, 'postgresql'),
        JWT_SECRET: SECRET,
        PASSWORD_HASHING: hashing,
        // Not that of the app's digests, so that each login upgrades one.
        BCRYPT_COST: '5',
        ...source.serviceEnv,
      };
      const imported = await run(['users', 'import', 'users.csv'], { cwd, env });
      t.match(imported.stdout, /5 added/);
      if (table) {
        const last = await runSql([`SELECT max(id) FROM ${table}`], appEnv, cwd);
        const [keepIds = ''] = await blocksOf('migrating.md', '## Import', 'sql');
        await runSql([keepIds], libpqEnv(env.DATABASE_URL), cwd, [`last=${Number(last)}`]);
      }
      await useService(t, cwd, env);

      const [exportUsers = ''] = await blocksOf('rollback.md', '## Export and load');
      await execute(
        '/bin/bash',
        ['-euc', exportUsers.replace('node dist/main.js', `'${process.execPath}' ${MAIN}`)],
        env,
        cwd,
      );
      const load = await blocksOf('rollback.md', '## Export and load', 'sql');
      const listed = await runSql(
        [...load, ...(await blocksOf('rollback.md', `## Back to ${name}`, 'sql'))],
        appEnv,
        cwd,
      );
      t.match(listed, DELETED.email, 'who was deleted is listed');
      t.equal(listed.includes(DISABLED.email), disabledUsers === 'listed', 'who was disabled');
      for (const { email } of [STAYS, LOGS_IN, CHANGES]) t.notMatch(listed, email);

      const { stock, now } = reads[hashing];
      if (stock !== undefined) t.same(await logIn([CHANGED], source.stockEnv), [stock], 'as it was before');
      t.same(
        await logIn([STAYS, LOGS_IN, CHANGES, CHANGED, DISABLED]),
        [true, true, false, now, disabledUsers === 'listed'],
        'old passwords, a changed one, and who was disabled',
      );
      if (addedUsers === 'sign up') t.match(listed, ADDED.email);
      else t.same(await logIn([ADDED]), [now], 'who was added');
    });
  }
}

t.test('digests that passlib and Werkzeug read', async (t) => {
  await installPython(t);
  const password = 'foobar';
  const made = [createPasswords({ algorithm: 'argon2id' }), createPasswords({ algorithm: 'bcrypt', cost: 4 })];
  const digests = await Promise.all(
    made.map(async (passwords) => ({ password, digest: (await passwords.hash(password)).passwordDigest })),
  );
  const [argon2id, bcrypt] = JSON.parse(await execute(PYTHON, ['digests.py'], {}, APPS, JSON.stringify(digests)));
  t.same(argon2id, { passlib: true, werkzeug: 'ValueError' });
  t.match(bcrypt, { werkzeug: 'ValueError' });
});

t.test('the guide shows the code that better-auth runs', async (t) => {
  const [code] = await blocksOf('rollback.md', '## Back to better-auth', 'js');
  t.equal(code, await readFile(`${APPS}verify.js`, 'utf8'));
});
