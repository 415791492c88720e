/** The commands of the operator’s pages, as they stand there: backups under logins, restored elsewhere; keys that rotate or leak. */
import { execFile, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { command } from '../test/support/command.js';
import { MAIN, type Options, type Running, run, start } from '../test/support/executable.js';
import { bearer } from '../test/support/keys.js';
import { FORM, send } from '../test/support/send.js';
import { createDatabase, SECRET, UNTHROTTLED } from '../test/support/service.js';
import { getToken, replaceFile } from '../test/support/steady-logins.js';
import { blocksOf } from './guide.js';

const ENV = { ...UNTHROTTLED, THROTTLE_ADDRESS: '1000000', PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };

t.setTimeout(600_000);

async function sh(block: string | undefined, env: NodeJS.ProcessEnv): Promise<string> {
  if (block === undefined) throw new Error('the guide has lost a block of commands');
  const { stdout } = await promisify(execFile)('bash', ['-euc', block], { env: { PATH: process.env.PATH, ...env } });
  return stdout;
}

const missing = (executable: string) => !existsSync(executable) && `there is no ${executable}`;

function login({ url }: Running, email: string, password = 'foobar') {
  const body = new URLSearchParams({ email, password }).toString();
  return send(url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
}

/** Adds users and lets logins fail, which is written down, until it is stopped. */
async function startUnderWrites(t: Test, options: Options) {
  const service = await start(t, options);
  const users: string[] = [];
  const statuses = new Set<number>();
  let failures = 0;
  let going = true;
  const add = async () => {
    for (let user = 0; going; user += 1) {
      const email = `user${user}@bar.com`;
      const { code } = await run(['users', 'add', '--allow-weak', email], { ...options, input: 'foobar' });
      if (code === 0) users.push(email);
      else t.fail(`${email} was not added`);
    }
  };
  const fail = async () => {
    for (; going; failures += 1) statuses.add((await login(service, 'foo@bar.com', 'wrong')).status);
  };
  const writers = [add(), fail(), fail()];
  while (users.length < 2 || failures === 0) await wait(20);
  return {
    service,
    writes: () => ({ users: [...users], failures }),
    async stop() {
      going = false;
      await Promise.all(writers);
      t.same([...statuses], [401]);
      service.kill('SIGTERM');
      t.equal(await service.exited, 0);
    },
  };
}

/** Backs up under writes, and looks for what had been acknowledged before in the service that has the backup restored. */
async function backUpAndRestore(
  t: Test,
  options: Options,
  backUp: () => Promise<void>,
  restore: () => Promise<Options>,
) {
  const { writes, stop } = await startUnderWrites(t, options);
  const before = writes();
  await backUp();
  t.ok(writes().failures > before.failures, 'nobody had to wait for it');
  await stop();
  const restored = await start(t, await restore());
  const replies = await Promise.all(before.users.map((email) => login(restored, email)));
  t.same(new Set(replies.map(({ status }) => status)), new Set([200]), `${replies.length} users are there`);
  t.equal((await login(restored, 'user0@bar.com', 'wrong')).status, 401);
  t.equal((await send(restored.url, { path: '/readyz' })).status, 200);
  t.match(replies[0]?.body, /auth_token/);
  return { token: JSON.parse(replies[0]?.body ?? '').auth_token };
}

const SQLITE = '## SQLite';
t.test(SQLITE, { skip: missing('/usr/bin/sqlite3') }, async (t) => {
  const directory = t.testdir({ backup: {}, served: {} });
  const env = { DATABASE: `${directory}/served/sessions.db`, BACKUP: `${directory}/backup` };
  const elsewhere = { ...env, DATABASE: `${directory}/elsewhere/sessions.db` };
  const optionsOf = ({ DATABASE }: typeof env) => ({
    cwd: directory,
    env: { ...ENV, DATABASE_URL: `file:${DATABASE}` },
  });
  const [backUp, restore] = await blocksOf('backups.md', SQLITE);
  const { token } = await backUpAndRestore(
    t,
    optionsOf(env),
    async () => void (await sh(backUp, env)),
    async () => {
      // What a database that was there before has left.
      await mkdir(`${directory}/elsewhere`);
      for (const file of ['', '-wal', '-shm']) await writeFile(`${elsewhere.DATABASE}${file}`, 'what is replaced');
      await sh(restore, elsewhere);
      return optionsOf(elsewhere);
    },
  );
  const [header, payload, signature] = token.split('.');
  const secret = await readFile(`${env.DATABASE}.jwt-secret`, 'utf8');
  t.equal(
    signature,
    createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url'),
    'signed as before',
  );
  for (const file of ['sessions.db', 'sessions.db.jwt-secret']) {
    t.equal((await stat(`${env.BACKUP}/${file}`)).mode & 0o077, 0, `${file} is its owner’s alone`);
  }
  const mode = await sh('sqlite3 "$DATABASE" "PRAGMA journal_mode"', elsewhere);
  t.equal(mode, 'wal\n', 'readers and the writer do not wait for one another');
  await copyFile(`${env.DATABASE}.jwt-secret`, `${directory}/damaged.jwt-secret`);
  await writeFile(`${directory}/damaged`, 'not a database at all');
  await t.rejects(sh(backUp, { ...env, DATABASE: `${directory}/damaged` }), 'a backup that fails says so');
});

const POSTGRESQL = '## PostgreSQL';
t.test(POSTGRESQL, { skip: missing('/usr/bin/pg_virtualenv') }, async (t) => {
  // Debian's server, because its pg_dump refuses one that is newer.
  const shell = spawn('pg_virtualenv', ['sh', '-c', 'env | grep ^PG; echo ready; cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(async () => {
    shell.stdin.end();
    await once(shell, 'exit');
  });
  let output = '';
  for await (const chunk of shell.stdout.iterator({ destroyOnReturn: false })) {
    output += chunk;
    if (output.includes('ready')) break;
  }
  const variables = Object.fromEntries([...output.matchAll(/^(PG\w+)=(.*)$/gm)].map(([, ...pair]) => pair));
  const env = { ...variables, PGDATABASE: 'sessions', BACKUP: t.testdir(), RESTORED: 'restored' };
  const { PGUSER, PGPASSWORD, PGHOST, PGPORT } = variables;
  await sh('createdb sessions', env);
  const optionsOf = (database: string) => ({
    cwd: t.testdirName,
    env: {
      ...ENV,
      JWT_SECRET: SECRET,
      DATABASE_URL: `postgresql://${PGUSER}:${PGPASSWORD}@${PGHOST}:${PGPORT}/${database}`,
    },
  });
  const [backUp, restore] = await blocksOf('backups.md', POSTGRESQL);
  await backUpAndRestore(
    t,
    optionsOf('sessions'),
    async () => void (await sh(backUp, env)),
    async () => {
      await sh(restore, env);
      return optionsOf(env.RESTORED);
    },
  );
});

const ATTACK = '## Under attack';
t.test(ATTACK, { skip: missing('/usr/bin/jq') }, async (t) => {
  const cwd = t.testdir();
  const service = await start(t, { cwd, env: ENV });
  for (let guess = 0; guess < 3; guess += 1) await login(service, `user${guess}@bar.com`, 'wrong');
  service.kill('SIGTERM');
  await service.exited;
  await writeFile(`${cwd}/log`, service.output());
  const answers = await Promise.all(
    (await blocksOf('throttling.md', ATTACK)).map((block) => sh(block, { LOG: `${cwd}/log` })),
  );
  t.match(answers[0], /^ +3 127\.0\.0\.1\n$/, 'the address, and how often it failed');
  t.match(answers[1], /^ +3 unknown_email\n$/);
});

/** Two instances on one file of keys, and what the guide's commands need. */
async function startWithKeys(t: Test) {
  const cwd = t.testdir({ bin: {} });
  const file = `${cwd}/keys.json`;
  const env = { ...ENV, DATABASE_URL: await createDatabase(t, 'postgresql'), JWT_KEYS_FILE: file };
  await writeFile(`${cwd}/bin/sessions-api`, `#!/bin/sh\nexec '${process.execPath}' '${MAIN}' "$@"\n`);
  await chmod(`${cwd}/bin/sessions-api`, 0o755);
  await run(['keys', 'generate'], { cwd, env });
  await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { cwd, env, input: 'foobar' });
  const instances = await Promise.all([start(t, { cwd, env }), start(t, { cwd, env })]);
  const kidsAt = async ({ url }: Running): Promise<string[]> => {
    const { body } = await send(url, { path: '/.well-known/jwks.json' });
    return JSON.parse(body).keys.map(({ kid }: { kid: string }) => kid);
  };
  return {
    instances,
    commands: {
      PATH: `${cwd}/bin:${process.env.PATH}`,
      JWT_KEYS_FILE: file,
      INSTANCES: instances.map(({ pid }) => pid).join(' '),
    },
    /** Lets seconds pass, as far as the file knows. */
    async pass(seconds: number) {
      const { keys } = JSON.parse(await readFile(file, 'utf8'));
      for (const key of keys) {
        key.added_at -= seconds;
        if (key.retired_at !== undefined) key.retired_at -= seconds;
      }
      await replaceFile(file, JSON.stringify({ keys }));
    },
    /** Waits until all instances have the keys of the file, and returns their names. */
    async reloaded(): Promise<string[]> {
      const { stdout } = await run(['keys', 'list', '--json'], { cwd, env });
      const kids = stdout
        .trim()
        .split('\n')
        .map((line): string => JSON.parse(line).kid);
      for (const instance of instances) while (String(await kidsAt(instance)) !== String(kids)) await wait(20);
      return kids;
    },
    statusesOf: (token: string) =>
      Promise.all(
        instances.map(async ({ url }) => (await send(url, { path: '/api/v1/session', headers: bearer(token) })).status),
      ),
  };
}

const kidOf = (token: string): string => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;

const ROTATION = '## Rotate the keys';
t.test(ROTATION, { skip: missing('/usr/bin/jq') }, async (t) => {
  const { instances, commands, pass, reloaded, statusesOf } = await startWithKeys(t);
  const [add, promote, remove] = await blocksOf('keys.md', ROTATION);
  const tokens = () => Promise.all(instances.map(({ url }) => getToken(url)));
  const [old = ''] = await tokens();
  await sh(add, commands);
  const [first, second] = await reloaded();
  t.same((await tokens()).map(kidOf), [first, first], 'the new key does not sign yet');
  await pass(19 * 60);
  await t.rejects(sh(promote, commands), { code: 75 }, 'too early');
  await pass(60);
  await sh(promote, commands);
  t.same(await reloaded(), [second, first]);
  for (const token of await tokens()) {
    t.equal(kidOf(token), second);
    t.same(await statusesOf(token), [200, 200]);
  }
  t.same(await statusesOf(old), [200, 200]);
  await t.rejects(sh(remove, commands), { code: 75 }, 'too early');
  await pass(24 * 60 * 60);
  await sh(remove, commands);
  t.same(await reloaded(), [second]);
  t.same(await statusesOf(old), [401, 401]);
});

const LEAK = '## A key has leaked';
t.test(LEAK, { skip: missing('/usr/bin/jq') }, async (t) => {
  const { instances, commands, reloaded, statusesOf } = await startWithKeys(t);
  const [add] = await blocksOf('keys.md', ROTATION);
  await sh(add, commands);
  const leaked = await reloaded();
  const tokens = await Promise.all(instances.map(({ url }) => getToken(url)));
  const [replace] = await blocksOf('keys.md', LEAK);
  await sh(replace, commands);
  const kids = await reloaded();
  t.equal(kids.length, 1);
  t.notOk(leaked.includes(kids[0] ?? ''), 'neither the key that signed nor the one that was about to');
  for (const token of tokens) t.same(await statusesOf(token), [401, 401]);
  for (const { url } of instances) t.same(await statusesOf(await getToken(url)), [200, 200]);
});

t.test('## systemd', { skip: missing('/usr/bin/systemd-analyze') }, async (t) => {
  const directory = t.testdir({ 'sessions-api.service.d': {} });
  const deployed = (file: string) => fileURLToPath(new URL(`../deploy/${file}`, import.meta.url));
  const unit = `${directory}/sessions-api.service`;
  await copyFile(deployed('sessions-api.service'), unit);
  const analyze = (...args: string[]) => command(directory, 'systemd-analyze', ...args, unit);
  t.same(await analyze('verify'), { code: 0, output: '' }, 'on SQLite');
  // Tenths: 2.0 of 10, where 10 is a service that may do everything.
  t.equal((await analyze('security', '--offline=true', '--threshold=20')).code, 0, 'may do little');
  await copyFile(deployed('sessions-api-postgresql.conf'), `${unit}.d/postgresql.conf`);
  t.same(await analyze('verify'), { code: 0, output: '' }, 'on PostgreSQL');
});

const BASH_COMPLETION = '/usr/share/bash-completion/bash_completion';
for (const [shell, options, prepare, needed] of [
  ['bash', '--norc', `. ${BASH_COMPLETION}`, BASH_COMPLETION],
  ['zsh', '-f', 'autoload -Uz compinit; compinit -u -D', '/usr/bin/zsh'],
  ['fish', '--no-config', 'true', '/usr/bin/fish'],
] as const) {
  t.test(`## Command line: Tab in ${shell}`, { skip: missing(needed) }, async (t) => {
    const cwd = t.testdir();
    await symlink(MAIN, `${cwd}/sessions-api`);
    const [block] = await blocksOf('operating.md', '## Command line', shell);
    if (block === undefined) return t.fail(`the guide has lost the command for ${shell}`);
    // `script` gives it a terminal.
    const env = { PATH: `${cwd}:${process.env.PATH}`, HOME: cwd, TERM: 'xterm' };
    const terminal = spawn('script', ['-qfc', `${shell} ${options} -i`, '/dev/null'], { cwd, env });
    t.teardown(() => terminal.kill('SIGKILL'));
    const shows = async (pattern: RegExp) => {
      let output = '';
      for await (const chunk of terminal.stdout.iterator({ destroyOnReturn: false })) {
        output += chunk;
        if (pattern.test(output)) return;
      }
      throw new Error(`the terminal has ended: ${JSON.stringify(output)}`);
    };
    terminal.stdin.write(`${prepare}\n${block}printf 'rea%s\\n' dy\n`);
    await shows(/ready/);
    terminal.stdin.write('sessions-api users s\t\t');
    await shows(/set-password[\s\S]*show[\s\S]*stats/);
    t.pass('lists the verbs that begin with s');
  });
}
