import { existsSync } from 'node:fs';
import { userInfo } from 'node:os';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { updateUser } from '#built/users/update-user.js';
import { run, start } from '../../support/executable.js';
import { FORM, send } from '../../support/send.js';
import { createDatabase, SECRET } from '../../support/service.js';

for (const provider of PROVIDERS) {
  t.test(`users add on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider) };
    const add = (email: string, input: string | Buffer, more: NodeJS.ProcessEnv = {}) =>
      run(['users', 'add', email], { cwd, env: { ...env, ...more }, input });

    const created = provider === 'sqlite' ? `created the database ${env.DATABASE_URL.slice('file:'.length)}\n` : '';
    const { stderr: logged, ...first } = await add('foo@bar.com', 'correct horse\n');
    t.same(first, { code: 0, stdout: '1\n' }, 'prints the id');
    t.ok(logged.startsWith(created));
    const line = JSON.parse(logged.slice(created.length));
    t.match(line, { level: 30, event: 'user_created', userId: 1, by: `command:${userInfo().username}` });
    t.match(await add('second@bar.com', 'pass word\r\n', { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' }), {
      code: 0,
      stdout: '2\n',
    });

    for (const email of ['foo@bar.com', 'FOO@BAR.com', ' Foo@bar.com ']) {
      const { code, stdout, stderr } = await add(email, 'another password\n');
      t.equal(code, 65);
      t.equal(stdout, '');
      t.equal(stderr, `sessions-api: email is taken: foo@bar.com\n`);
    }

    const chosen = ['users', 'add', 'chosen@bar.com', '--id', '7'];
    t.match(await run(chosen, { cwd, env, input: 'correct horse' }), { code: 0, stdout: '7\n' });
    const taken = await run(['users', 'add', 'x@bar.com', '--id', '7', '--json'], { cwd, env, input: 'correct horse' });
    t.match(JSON.parse(taken.stderr), { code: 'id_taken', exit_code: 65 });

    const service = await start(t, { cwd, env: { ...env, JWT_SECRET: SECRET } });
    const login = async (email: string, password: string) => {
      const body = new URLSearchParams({ email, password }).toString();
      return (await send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body })).status;
    };
    t.equal(await login('foo@bar.com', 'correct horse'), 200, 'the duplicates have changed nothing');
    t.equal(await login('foo@bar.com', 'another password'), 401);
    t.equal(await login('second@bar.com', 'pass word'), 200, 'without the end of its line');
  });
}

t.test('what users add refuses', async (t) => {
  const cwd = t.testdir();
  await run(['migrate'], { cwd });
  const refused: [email: string, input: string | Buffer, said: RegExp][] = [
    ['foobar.com', 'x\n', /^sessions-api: email must look like an email address\n$/],
    ['', 'x\n', /email must look like an email address/],
    [`${'a'.repeat(255)}@b`, 'x\n', /email must have at most 254 characters/],
    ['\ufffd@b', 'x\n', /email is not valid UTF-8/],
    ['a@b', '', /password must not be empty/],
    ['a@b', '\n', /password must not be empty/],
    ['a@b', 'p'.repeat(1025), /password must have at most 1024 characters/],
    ['a@b', 'a\0b', /password must not contain NUL/],
    ['a@b', Buffer.from([0xff, 0x0a]), /password is not valid UTF-8/],
    ['x', '', /email must look like .*; password must not be empty/],
    ['a@b', 'correct\nhorse', /^sessions-api: standard input has more than one line\n$/],
    ['a@b', 'correct horse\n\n', /more than one line/],
    [
      'a@b',
      'foobar\n',
      /^sessions-api: password must have at least 8 characters; password must not be one of the most/,
    ],
    ['correct@b', 'Correct@B', /^sessions-api: password must not be the email, or the part before its @\n$/],
  ];
  await Promise.all(
    refused.map(async ([email, input, said]) => {
      t.match(await run(['users', 'add', email], { cwd, input }), { code: 65, stdout: '', stderr: said });
    }),
  );
  const env = { PASSWORD_MIN_LENGTH: '15' };
  t.match(await run(['users', 'add', 'a@b', '--json'], { cwd, env, input: 'correct horse' }), {
    code: 65,
    stderr: `${JSON.stringify({
      message: 'password must have at least 15 characters',
      code: 'weak_password',
      exit_code: 65,
      errors: [{ field: 'password', message: 'must have at least 15 characters', code: 'password_too_short' }],
    })}\n`,
  });
  const bcrypt = { PASSWORD_HASHING: 'bcrypt' };
  const tooLong = await run(['users', 'add', 'a@b'], { cwd, env: bcrypt, input: 'ä'.repeat(37) });
  t.match(tooLong, { code: 65, stderr: /^sessions-api: password must have at most 72 bytes/ });
  const { stdout } = await run(['users', 'list', '--json'], { cwd });
  t.same(JSON.parse(stdout).users, [], 'nothing has changed');
});

t.test('--allow-weak stores what the policy refuses, but nothing that a login would not accept', async (t) => {
  const cwd = t.testdir();
  const users = (verb: string, input: string) => run(['users', verb, 'a@b', '--allow-weak'], { cwd, input });
  t.match(await users('add', '\n'), { code: 65, stderr: /password must not be empty/ });
  t.match(await users('add', 'foobar'), { code: 0, stdout: '1\n' });
  t.match(await users('set-password', ''), { code: 65, stderr: /password must not be empty/ });
  t.match(await users('set-password', 'password'), { code: 0 });
  const database = await openDatabase({ provider: 'sqlite', file: `${cwd}/data/sessions.db` });
  const user = await database.users.find({ id: 1 }).finally(() => database.close());
  t.ok(await createPasswords({ algorithm: 'argon2id' }).verify('password', user));
});

for (const provider of PROVIDERS) {
  t.test(`managing users on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider) };
    const config = readConfig(env, { issuesTokens: false });
    await migrate(config.databaseUrl);
    const database = await openDatabase(config.databaseUrl);
    t.teardown(() => database.close());
    const digest = await createPasswords({ algorithm: 'bcrypt', cost: 4 }).hash('foobar');
    for (const name of ['foo', 'bar', 'baz', 'evil\u001b[2J']) await database.users.add(`${name}@bar.com`, digest);

    const users = (...args: string[]) => run(['users', ...args], { cwd, env });
    const printed = async (...args: string[]) => (await users(...args)).stdout;
    const json = async (...args: string[]) => JSON.parse(await printed(...args, '--json'));

    const firstPage = await printed('list', '--limit', '2', '--json');
    t.match(JSON.parse(firstPage), { users: [{ id: 1, email: 'foo@bar.com', disabled_at: null }, { id: 2 }], next: 2 });
    t.match(JSON.parse(firstPage).users[0].password, { format: 'bcrypt', parameters: 'cost=4', current: false });
    t.notMatch(firstPage, digest, 'no digest');
    t.match(await json('list', '--after', '2'), {
      users: [{ id: 3 }, { id: 4 }],
      next: null,
    });
    const table = await printed('list', '--email', 'EVIL');
    t.match(
      table,
      /^id +state +created_at +email\n4 +enabled .* evil\\u\{1b\}\[2j@bar.com\n$/,
      'nothing to steer a terminal',
    );

    t.same(await json('list', '--email', 'b_r@'), { users: [], next: null }, 'no wildcards');
    t.same(await json('list', '--email', 'b\\ar@'), { users: [], next: null }, 'no escapes');

    t.equal(await printed('set-email', '3', ' New@bar.com'), 'set the email of baz@bar.com (id 3)\n');
    t.match(await json('show', '3'), { email: 'new@bar.com' });
    t.match(await users('set-email', '3', 'FOO@bar.com'), { code: 65, stderr: /email is taken: foo@bar.com/ });
    t.match(await users('set-email', '3', 'no address'), { code: 65, stderr: /email must look like an email address/ });
    t.match(await printed('reset-token', '3'), /^pr_[\w-]{43}\n$/);
    const { token, expires_at } = await json('reset-token', '3');
    t.match(token, /^pr_/);
    t.ok(Date.parse(expires_at));

    t.equal(await printed('disable', ' BAR@bar.com'), 'disabled bar@bar.com (id 2)\n');
    const { disabled_at } = await json('show', '2');
    t.match(disabled_at, /^20\d\d-.*Z$/);
    t.equal((await json('disable', '2')).disabled_at, disabled_at, 'once is enough');
    t.match(await printed('show', '2'), `disabled since ${disabled_at}`);
    t.match(await json('list', '--disabled'), { users: [{ id: 2 }], next: null });
    const enabled = await json('list', '--enabled');
    t.match(enabled.users, [{ id: 1 }, { id: 3 }, { id: 4 }]);

    await updateUser(database.users, 1, { digest: await createPasswords(config.hashing).hash('foobar') });
    const withoutPassword = env.DATABASE_URL.replace(/\/\/.*@/, '//');
    t.same(await json('stats'), {
      database: withoutPassword,
      users: 4,
      disabled: 1,
      formats: [
        { format: 'bcrypt', parameters: 'cost=4', current: false, pepper: null, users: 3 },
        { format: 'argon2id', parameters: 'm=19456,t=2,p=1', current: true, pepper: null, users: 1 },
      ],
    });
    const stats = await printed('stats');
    t.equal(stats.split('\n', 1)[0], withoutPassword);
    t.match(stats, /\n3 +bcrypt +cost=4 +upgraded at login\n1 +argon2id +m=19456,t=2,p=1 +current\n/);
    t.equal((await json('enable', '2')).disabled_at, null);

    t.match(await users('delete', '3'), { code: 64, stderr: /^sessions-api: not a terminal: pass --yes / });
    t.equal(await printed('delete', '3', '--yes'), 'deleted new@bar.com (id 3)\n');
    for (const key of ['3', 'new@bar.com', '99999999999', '']) {
      t.match(await users('show', key), { code: 67, stderr: /^sessions-api: there is no user with the / });
    }
  });
}

t.test('only add and import create a database', async (t) => {
  const cwd = t.testdir({ 'users.jsonl': '' });
  const missing = `${cwd}/data/sessions.db`;
  const { stdout } = await run(['complete', '--', 'users', ''], { cwd });
  const declared = [...stdout.matchAll(/^([a-z-]+)\t/gm)].map(([, verb = '']) => verb);
  const verbs = declared.filter((verb) => !['add', 'import', 'help'].includes(verb));
  t.ok(verbs.length >= 9);
  for (const verb of verbs) {
    const user = ['list', 'stats', 'export'].includes(verb) ? [] : ['1'];
    const email = verb === 'set-email' ? ['foo@bar.com'] : [];
    const refused = await run(['users', verb, ...user, ...email], { cwd, input: 'foobar' });
    t.match(refused, { code: 78, stdout: '', stderr: `DATABASE_URL: there is no ${missing}; serve, users add` }, verb);
    t.notOk(existsSync(`${cwd}/data`), 'nothing is created');
  }

  const importing = () => run(['users', 'import', 'users.jsonl'], { cwd });
  t.match(await importing(), { code: 0, stderr: `created the database ${missing}\n` });
  t.match(await importing(), { code: 0, stderr: '' }, 'once');
});

t.test('users set-password', async (t) => {
  const cwd = t.testdir();
  const options = { cwd, input: 'another password\n' };
  t.equal((await run(['users', 'add', 'foo@bar.com'], options)).code, 0);
  const exported = async () => JSON.parse((await run(['users', 'export'], { cwd })).stdout);
  t.match(await exported(), { password_changed_at: null });
  for (const [input, stderr] of [
    ['password', /^sessions-api: password must not be one of the most common passwords\n$/],
    ['FOO@bar.com', /must not be the email/],
    ['correct\nhorse', /more than one line/],
  ] as const) {
    t.match(await run(['users', 'set-password', '1'], { cwd, input }), { code: 65, stdout: '', stderr });
  }
  t.match(await exported(), { password_changed_at: null }, 'a password that is refused changes nothing');
  t.match(await run(['users', 'set-password', 'FOO@bar.com'], { cwd, input: 'new password\n' }), {
    code: 0,
    stdout: 'set the password of foo@bar.com (id 1)\n',
    stderr: /^\{.*"event":"user_updated","userId":1,"by":"command:.*\}\n$/,
  });
  const database = await openDatabase({ provider: 'sqlite', file: `${cwd}/data/sessions.db` });
  const user = await database.users.find({ email: 'foo@bar.com' }).finally(() => database.close());
  t.ok(await createPasswords({ algorithm: 'argon2id' }).verify('new password', user));
  t.match(await exported(), { password_changed_at: /^\d{4}-/ }, 'unlike an upgrade of the digest');
  t.match(await run(['users', 'set-password', '2'], options), { code: 67, stderr: /^sessions-api: there is no user/ });
});

t.test('usage', async (t) => {
  const cwd = t.testdir();
  const wrong = [
    [],
    ['nonsense'],
    ['show'],
    ['list', '--limit', '0'],
    ['list', '--limit', 'x'],
    ['list', '--nonsense'],
  ];
  const usages = [...wrong, ['list', '--disabled', '--enabled']].map(async (args) => {
    const { code, stdout, stderr } = await run(['users', ...args], { cwd });
    t.match({ code, stdout }, { code: 64, stdout: '' }, args.join(' '));
    t.not(stderr, '');
  });
  const changing = ['set-email', 'set-password', 'reset-token', 'disable', 'enable', 'delete'];
  const verbs = ['add', 'list', 'show', ...changing, 'import', 'export', 'stats'];
  const helps = verbs.map(async (verb) => {
    const { code, stdout } = await run(['users', verb, '--help'], { cwd });
    t.equal(code, 0);
    t.match(stdout, new RegExp(`Example:\\n  \\$ sessions-api users ${verb}`));
  });
  await Promise.all([...usages, ...helps]);
});
