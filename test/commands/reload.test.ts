import { createHmac } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { reloadAt } from '#built/commands/reload.js';
import { command } from '../support/command.js';
import { createDatabaseRole } from '../support/database-role.js';
import { run, start, stop } from '../support/executable.js';
import { bearer, jwkSet, privateJwks } from '../support/keys.js';
import { send } from '../support/send.js';
import { SECRET } from '../support/service.js';
import {
  CHEAP,
  getToken,
  isSignedWith,
  keepLoggingIn,
  login,
  replaceFile,
  startWithUser,
} from '../support/steady-logins.js';

/** However long a machine that does much else takes for them, logins succeed. */
const PATIENT = { ...CHEAP, HASH_WAIT_MAX_MS: '60000' };
const NEW_SECRET = 'another secret that only the tests know, and no service';

t.test('a new JWT secret under steady logins', async (t) => {
  const cwd = t.testdir({ secret: `${SECRET}\n` });
  const service = await startWithUser(t, { cwd, env: { ...PATIENT, JWT_SECRET_FILE: 'secret' } });
  const logins = keepLoggingIn(service.url);
  await logins.more(40);
  await replaceFile(`${cwd}/secret`, `${NEW_SECRET}\n`);
  await logins.more(20);
  service.kill('SIGHUP');
  await service.written('re-read JWT_SECRET_FILE; changed: the JWT secret');
  t.ok(isSignedWith(NEW_SECRET, await getToken(service.url)), 'who logs in now gets a token with the new secret');
  await logins.more(40);
  const { failed, tokens } = await logins.stop();
  t.same(failed, [], 'no login failed');
  const signedWithOld = tokens.filter((token) => isSignedWith(SECRET, token)).length;
  const signedWithNew = tokens.filter((token) => isSignedWith(NEW_SECRET, token)).length;
  t.equal(signedWithOld + signedWithNew, tokens.length, 'each token is signed with the one or the other');
  t.ok(signedWithOld >= 60 && signedWithNew >= 30, `${signedWithOld} with the old one, ${signedWithNew} with the new`);

  for (const [content, fault] of [
    ['too short and still secret', /JWT_SECRET_FILE: the content must be text of at least 32 bytes/],
    ['\n', /JWT_SECRET_FILE must name a file that is not empty/],
    [undefined, /JWT_SECRET_FILE must name a file that can be read: ENOENT/],
  ] as const) {
    await (content === undefined ? rm(`${cwd}/secret`) : replaceFile(`${cwd}/secret`, content));
    const errors = () =>
      service
        .output()
        .split('\n')
        .filter((line) => line.includes('nothing is changed'));
    const before = errors().length;
    service.kill('SIGHUP');
    while (errors().length === before) await login(service.url);
    t.match(errors().at(-1), fault);
    t.ok(isSignedWith(NEW_SECRET, await getToken(service.url)), 'and the secret stays as it is');
  }
  t.notMatch(service.output(), /still secret|only the tests know/);
});

t.test('new admin tokens', async (t) => {
  const [old, next] = ['o'.repeat(32), 'n'.repeat(32)];
  const cwd = t.testdir({ tokens: `${old}\n` });
  const service = await start(t, { cwd, env: { ...CHEAP, ADMIN_TOKENS_FILE: 'tokens' } });
  const statusesOf = () =>
    Promise.all(
      [old, next].map(
        async (token) => (await send(service.url, { path: '/api/v1/users', headers: bearer(token) })).status,
      ),
    );
  t.same(await statusesOf(), [200, 401]);
  for (const [content, statuses] of [
    [`${old}\n${next}\n`, [200, 200]],
    [next, [401, 200]],
  ] as const) {
    await replaceFile(`${cwd}/tokens`, content);
    const before = service.output().split('changed: the admin tokens').length;
    service.kill('SIGHUP');
    while (service.output().split('changed: the admin tokens').length === before) await statusesOf();
    t.same(await statusesOf(), statuses);
  }
  for (const token of [old, next]) t.notOk(service.output().includes(token));
});

t.test('without admin tokens, the start says so, once', async (t) => {
  const service = await start(t, { cwd: t.testdir(), env: CHEAP });
  t.equal(service.output().split('ADMIN_TOKENS is not set').length, 2);
});

t.test('with the previous JWT secret no token is refused through a rotation', async (t) => {
  const cwd = t.testdir({ secret: SECRET, previous: '' });
  const env = { ...PATIENT, JWT_SECRET_FILE: 'secret', JWT_SECRET_PREVIOUS_FILE: 'previous' };
  const service = await startWithUser(t, { cwd, env });
  const token = await getToken(service.url);
  const statusOf = async (text: string) => {
    const { status } = await send(service.url, { path: '/api/v1/session', headers: bearer(text) });
    return status;
  };
  const resigned = resign(token, NEW_SECRET);
  t.equal(await statusOf(token), 200);
  t.equal(await statusOf(resigned), 401, 'nobody knows the new secret yet');

  await replaceFile(`${cwd}/previous`, `${NEW_SECRET}\n`);
  service.kill('SIGHUP');
  await service.written('changed: the previous JWT secret');
  t.ok(isSignedWith(SECRET, await getToken(service.url)), 'it does not sign');
  t.same(await Promise.all([token, resigned].map(statusOf)), [200, 200]);

  await replaceFile(`${cwd}/secret`, NEW_SECRET);
  await replaceFile(`${cwd}/previous`, SECRET);
  service.kill('SIGHUP');
  await service.written('changed: the JWT secret, the previous JWT secret');
  t.ok(isSignedWith(NEW_SECRET, await getToken(service.url)));
  t.same(await Promise.all([token, resigned].map(statusOf)), [200, 200]);

  await replaceFile(`${cwd}/previous`, '');
  service.kill('SIGHUP');
  while ((await statusOf(token)) === 200);
  t.same(await Promise.all([token, resigned].map(statusOf)), [401, 200], 'an empty file is none');
  t.notMatch(service.output(), /only the tests know/);
});

t.test('a new pepper', async (t) => {
  const cwd = t.testdir({ pepper: 'salt and pepper', previous: '' });
  const env = { ...PATIENT, BCRYPT_PEPPER_FILE: 'pepper', BCRYPT_PEPPER_PREVIOUS_FILE: 'previous' };
  const service = await startWithUser(t, { cwd, env });
  await replaceFile(`${cwd}/pepper`, 'salt and thyme');
  service.kill('SIGHUP');
  await service.written(
    'nothing is changed: BCRYPT_PEPPER and BCRYPT_PEPPER_PREVIOUS: users have passwords with another',
  );
  t.equal((await login(service.url)).status, 200);

  await replaceFile(`${cwd}/previous`, 'salt and pepper');
  service.kill('SIGHUP');
  await service.written('changed: the pepper, the previous pepper');
  t.equal((await login(service.url)).status, 200);
  await service.written('stored the password in the current form');
  t.equal((await login(service.url)).status, 200);
  await stop(t, service);
  t.notMatch(service.output(), /salt and/);
});

t.test('a new pepper and a new password of the database at once', async (t) => {
  const { role, asAdmin, urlWith } = await createDatabaseRole(t);
  const cwd = t.testdir({ url: urlWith('old'), pepper: 'salt and pepper', previous: '' });
  const files = { DATABASE_URL_FILE: 'url', BCRYPT_PEPPER_FILE: 'pepper', BCRYPT_PEPPER_PREVIOUS_FILE: 'previous' };
  const service = await startWithUser(t, { cwd, env: { ...PATIENT, ...files, JWT_SECRET: SECRET } });

  await asAdmin(`ALTER ROLE ${role} PASSWORD 'new'`);
  // The old password opens no further connection.
  await asAdmin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${role}'`);
  await replaceFile(`${cwd}/url`, urlWith('new'));
  await replaceFile(`${cwd}/pepper`, 'salt and thyme');
  service.kill('SIGHUP');
  await service.written(
    'nothing is changed: BCRYPT_PEPPER and BCRYPT_PEPPER_PREVIOUS: users have passwords with another',
  );

  await replaceFile(`${cwd}/previous`, 'salt and pepper');
  service.kill('SIGHUP');
  await service.written('changed: the URL of the database, the pepper, the previous pepper');
  t.equal((await login(service.url)).status, 200);
  await stop(t, service);
});

function resign(token: string, secret: string): string {
  const [header, payload] = token.split('.');
  return `${header}.${payload}.${createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url')}`;
}

t.test('a pipe is read at the start, and refused at SIGHUP', async (t) => {
  const cwd = t.testdir();
  const secret = `${cwd}/secret`;
  await command(cwd, 'mkfifo', secret);
  await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { cwd, env: CHEAP, input: 'foobar' });
  const starting = start(t, { cwd, env: { ...CHEAP, JWT_SECRET_FILE: 'secret' } });
  await writeFile(secret, SECRET);
  const service = await starting;
  const refused =
    'nothing is changed: JWT_SECRET_FILE must name a file that can be read: only a regular file can be read again';
  service.kill('SIGHUP');
  await service.written(refused);
  t.ok(isSignedWith(SECRET, await getToken(service.url)), 'the old secret stays');

  await replaceFile(secret, NEW_SECRET);
  service.kill('SIGHUP');
  await service.written('re-read JWT_SECRET_FILE; changed: the JWT secret');
  t.ok(isSignedWith(NEW_SECRET, await getToken(service.url)), 'until there is a file');
});

t.test('without a file SIGHUP changes nothing', async (t) => {
  const service = await start(t, { cwd: t.testdir(), env: { JWT_SECRET: SECRET } });
  service.kill('SIGHUP');
  await service.written('SIGHUP: nothing to re-read: no secret comes from a file');
  t.equal((await send(service.url, { path: '/livez' })).status, 200);
  service.kill('SIGTERM');
  t.equal(await service.exited, 0);
});

t.test('the secret beside the database is a file, too', async (t) => {
  const cwd = t.testdir();
  const service = await startWithUser(t, { cwd, env: CHEAP });
  await replaceFile(`${cwd}/data/sessions.db.jwt-secret`, NEW_SECRET);
  service.kill('SIGHUP');
  await service.written('re-read the JWT secret beside the database; changed: the JWT secret');
  t.ok(isSignedWith(NEW_SECRET, await getToken(service.url)));
});

t.test('other signing keys under steady logins', async (t) => {
  const cwd = t.testdir({ keys: jwkSet(privateJwks('ES256')) });
  const service = await startWithUser(t, { cwd, env: { ...PATIENT, JWT_KEYS_FILE: 'keys' } });
  const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).kid;
  const before = await getToken(service.url);
  const logins = keepLoggingIn(service.url);
  await logins.more(20);
  const [added = {}] = privateJwks('EdDSA');
  const { keys } = JSON.parse(await readFile(`${cwd}/keys`, 'utf8'));
  await replaceFile(`${cwd}/keys`, jwkSet([added, ...keys]));
  service.kill('SIGHUP');
  await service.written('re-read JWT_KEYS_FILE; changed: the signing keys');
  const after = await getToken(service.url);
  t.not(kidOf(after), kidOf(before), 'who logs in now gets a token of the first key');
  const { failed } = await logins.stop();
  t.same(failed, [], 'no login failed');
  for (const token of [before, after]) {
    t.equal((await send(service.url, { path: '/api/v1/session', headers: bearer(token) })).status, 200);
  }
  await replaceFile(`${cwd}/keys`, jwkSet([{ ...added, d: 'AAAA' }]));
  service.kill('SIGHUP');
  await service.written('nothing is changed: JWT_KEYS_FILE: the content keys[0]');
  t.equal(kidOf(await getToken(service.url)), kidOf(after));
});

t.test('SIGHUPs that come during a reload are one', async (t) => {
  async function* hangups(count: number) {
    for (let n = 0; n < count; n += 1) yield 'SIGHUP';
    await setImmediate();
    yield 'SIGHUP';
  }
  let reloads = 0;
  let finish = () => {};
  const reload = () => {
    reloads += 1;
    return new Promise<void>((resolve) => {
      finish = resolve;
    });
  };
  const all = reloadAt(hangups(3_000), reload);
  await setImmediate();
  t.equal(reloads, 1);
  await all;
  for (const expected of [2, 2]) {
    finish();
    await setImmediate();
    t.equal(reloads, expected);
  }
});
