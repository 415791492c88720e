import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createPasswordUpgrades } from '#built/passwords/password-upgrades.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { updateUser } from '#built/users/update-user.js';
import { run, start, stop } from '../support/executable.js';
import { FORM, send } from '../support/send.js';
import { createDatabase, SECRET, startService } from '../support/service.js';
import { storedDigest } from '../support/stored-digest.js';

const bcrypt = createPasswords({ algorithm: 'bcrypt', cost: 4 });

/** What Django made of "foobar". */
const DJANGO = 'pbkdf2_sha256$1000$PD4NAtQFa09Efec3o7rQQd$alM1DMKgxu3f3A3IOVjDawH50A4skSn4Nt+JxN+S57w=';

for (const provider of PROVIDERS) {
  t.test(`an upgrade at login on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider), JWT_SECRET: SECRET };
    const { databaseUrl } = readConfig(env, { issuesTokens: false });
    await migrate(databaseUrl);
    const { users, close } = await openDatabase(databaseUrl);
    t.teardown(close);
    const digestOf = async (email: string) => (await users.find({ email }))?.passwordDigest ?? '';
    await users.add('django@bar.com', storedDigest(DJANGO));
    await users.add('rails@bar.com', await bcrypt.hash('foobar'));
    await users.add('wrong@bar.com', storedDigest(DJANGO));
    const id = (await users.add('disabled@bar.com', storedDigest(DJANGO))).id;
    await updateUser(users, id, { disabled: true });

    const service = await start(t, { cwd, env });
    const login = async (email: string, password: string) => {
      const body = new URLSearchParams({ email, password }).toString();
      return (await send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body })).status;
    };
    t.equal(await login('wrong@bar.com', 'Foobar'), 401);
    t.equal(await login('disabled@bar.com', 'foobar'), 401);
    const both = ['django@bar.com', 'rails@bar.com', 'django@bar.com', 'rails@bar.com'];
    t.same(await Promise.all(both.map((email) => login(email, 'foobar'))), [200, 200, 200, 200]);
    for (const email of ['django@bar.com', 'rails@bar.com']) {
      const stored = `"userId":${(await users.find({ email }))?.id},"msg":"stored the password in the current form"`;
      await service.written(stored);
    }
    await stop(t, service);

    for (const email of ['django@bar.com', 'rails@bar.com']) {
      const digest = await digestOf(email);
      t.match(digest, /^\$argon2id\$/);
      t.ok(await bcrypt.verify('foobar', storedDigest(digest)));
      const stored = service
        .output()
        .split('\n')
        .filter((line) => line.includes('in the current form'));
      t.equal(stored.length, 2, 'once for each');
    }
    t.equal(await digestOf('wrong@bar.com'), DJANGO);
    t.equal(await digestOf('disabled@bar.com'), DJANGO);
    t.notMatch(service.output(), 'foobar', 'no password in the log');
  });
}

t.test('a longer password that shares the 72 bytes that bcrypt reads', async (t) => {
  const service = await startService(t, 'sqlite');
  const login = async (email: string, password: string) => {
    const body = new URLSearchParams({ email, password }).toString();
    return (await service.request({ method: 'POST', path: '/api/v1/sessions', headers: FORM, body })).status;
  };
  for (const [email, right] of [
    ['ascii@bar.com', 'p'.repeat(72)],
    ['euro@bar.com', '€'.repeat(24)],
  ] as const) {
    await service.addUser(email, right, await bcrypt.hash(right));
    for (const password of [`${right}x`, right, `${right}x`, right]) t.equal(await login(email, password), 200, email);
  }
});

t.test('an upgrade with PASSWORD_HASHING=bcrypt', async (t) => {
  const cwd = t.testdir();
  const env = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4', BCRYPT_PEPPER: 'salt and pepper' };
  const peppers = { current: { text: 'salt and pepper', name: '01234567' } };
  const devise = createPasswords({ algorithm: 'bcrypt', cost: 4, peppers });
  t.equal((await run(['migrate'], { cwd })).code, 0);
  const { users, close } = await openDatabase({ provider: 'sqlite', file: `${cwd}/data/sessions.db` });
  t.teardown(close);
  const long = 'p'.repeat(73);
  const before = new Map([
    ['devise@bar.com', { ...(await devise.hash('foobar')), pepper: null }],
    ['long@bar.com', await createPasswords({ algorithm: 'argon2id' }).hash(long)],
    ['django@bar.com', storedDigest(DJANGO)],
  ]);
  for (const [email, digest] of before) await users.add(email, digest);

  const service = await start(t, { cwd, env });
  for (const email of before.keys()) {
    const body = new URLSearchParams({ email, password: email.startsWith('long') ? long : 'foobar' }).toString();
    const request = { method: 'POST', path: '/api/v1/sessions', headers: FORM, body };
    t.equal((await send(service.url, request)).status, 200, email);
  }
  for (const id of [1, 3]) await service.written(`"userId":${id},"msg":"stored the password in the current form"`);
  await stop(t, service);
  for (const email of ['devise@bar.com', 'long@bar.com']) {
    t.equal((await users.find({ email }))?.passwordDigest, before.get(email)?.passwordDigest, `${email} stays`);
  }
  const digest = await users.find({ email: 'django@bar.com' });
  t.equal(digest?.peppered, true);
  t.match(digest?.pepper, /^[0-9a-f]{8}$/);
  t.equal((await users.find({ email: 'devise@bar.com' }))?.pepper, digest?.pepper, 'the pepper has a name now');
  t.match(digest?.passwordDigest, /^\$2b\$04\$/);
  t.ok(await bcrypt.verify('foobarsalt and pepper', digest), 'as Devise would have stored it');
  t.notMatch(service.output(), 'not upgraded');
});

t.test('a password that changes meanwhile, and a database that does not answer', async (t) => {
  const user = { id: 1, ...storedDigest(DJANGO) };
  const replaced: { id: number; old: string }[] = [];
  const errors: object[] = [];
  const log = { info: () => undefined, error: (fields: object) => errors.push(fields) };
  let answer = () => Promise.resolve(true);
  const replacePasswordDigest = (id: number, old: string) => {
    replaced.push({ id, old });
    return answer();
  };
  const upgrades = createPasswordUpgrades({ replacePasswordDigest }, bcrypt, log);
  upgrades.add(user, 'foobar');
  upgrades.add(user, 'foobar');
  await upgrades.stop();
  t.same(replaced, [{ id: 1, old: DJANGO }], 'one at a time, and only in the place of the digest that matched');

  answer = () => Promise.reject(new Error('no answer'));
  upgrades.add(user, 'foobar');
  await upgrades.stop();
  t.match(errors, [{ userId: 1, err: { message: 'no answer' } }]);
});

t.test('those that wait at a stop are dropped, and a crowd does not fill the memory', async (t) => {
  const replaced: number[] = [];
  let crowdReplaced = () => {};
  const crowd = new Promise<void>((resolve) => {
    crowdReplaced = resolve;
  });
  const replacePasswordDigest = async (id: number) => {
    replaced.push(id);
    if (replaced.length === 32) crowdReplaced();
    return true;
  };
  const log = { info: () => undefined, error: () => undefined };
  const upgrades = createPasswordUpgrades({ replacePasswordDigest }, bcrypt, log);
  for (let id = 1; id <= 40; id += 1) upgrades.add({ id, ...storedDigest(DJANGO) }, 'foobar');
  await crowd;
  await upgrades.stop();
  t.equal(replaced.length, 32);

  for (let id = 1; id <= 3; id += 1) upgrades.add({ id, ...storedDigest(DJANGO) }, 'foobar');
  await upgrades.stop();
  t.same(replaced.slice(32), [1], 'the one that has begun is stored');
  upgrades.add({ id: 2, ...storedDigest(DJANGO) }, 'foobar');
  await upgrades.stop();
  t.same(replaced.slice(32), [1, 2], 'a later login tries again');
});
