import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import type { StoredDigest } from '#built/database/users.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { run, start, stop } from '../support/executable.js';
import { FORM } from '../support/send.js';
import { createDatabase, SECRET, startService } from '../support/service.js';
import { CHEAP, login } from '../support/steady-logins.js';
import { storedDigest } from '../support/stored-digest.js';

const PEPPER = 'salt and pepper';
const NEW_PEPPER = 'salt and thyme';
const PLAIN = { algorithm: 'bcrypt', cost: 4 } as const;

for (const provider of PROVIDERS) {
  t.test(`peppered and plain digests beside each other on ${provider}`, async (t) => {
    const databaseUrl = await createDatabase(t, provider);
    const env = { DATABASE_URL: databaseUrl, BCRYPT_PEPPER: PEPPER };
    const plain = await createPasswords({ algorithm: 'bcrypt', cost: 4 }).hash('correct horse');
    const peppers = { current: { text: PEPPER, name: '01234567' } };
    const devise = await createPasswords({ algorithm: 'bcrypt', cost: 4, peppers }).hash('correct horse');
    const cwd = t.testdir();
    const input = [
      'email,encrypted_password,peppered',
      `plain@bar.com,${plain.passwordDigest},f`,
      `devise@bar.com,${devise.passwordDigest},t`,
      `unknown@bar.com,${devise.passwordDigest},`,
    ].join('\n');
    t.match(await run(['users', 'import', '-'], { cwd, env, input }), { code: 0 });
    const bcrypt = { ...env, PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4', BCRYPT_PEPPER: '' };
    t.match(await run(['users', 'add', 'early@bar.com'], { cwd, env: bcrypt, input: 'correct horse\n' }), { code: 0 });

    const service = await startService(t, provider, { env, databaseUrl });
    await service.addUser('stored@bar.com', 'correct horse', storedDigest(devise.passwordDigest));
    for (const name of ['plain', 'devise', 'unknown', 'early', 'stored']) {
      const login = (password: string) => {
        const body = `email=${name}%40bar.com&password=${password}`;
        return service.request({ method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
      };
      t.equal((await login('barfoo')).status, 401, name);
      t.equal((await login('correct horse')).status, 200, name);
    }

    const database = await openDatabase(readConfig(env, { issuesTokens: false }).databaseUrl);
    t.teardown(() => database.close());
    const stored = async () => (await database.users.list({ after: 0, limit: 10 })).users;
    const isUpgraded = ({ passwordDigest }: StoredDigest) => passwordDigest.startsWith('$argon2id$');
    let users = await stored();
    while (!users.every(isUpgraded)) {
      // The hashes come from threads.
      await nextTurn();
      users = await stored();
    }
    t.ok(users.every(({ peppered }) => peppered === false));
    t.notMatch(JSON.stringify(users), PEPPER);
  });

  t.test(`a pepper rotates on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider), JWT_SECRET: SECRET, ...CHEAP };
    const before = { ...env, BCRYPT_PEPPER: PEPPER };
    const between = { ...env, BCRYPT_PEPPER: NEW_PEPPER, BCRYPT_PEPPER_PREVIOUS: PEPPER };
    const after = { ...env, BCRYPT_PEPPER: NEW_PEPPER };
    const { databaseUrl } = readConfig(env, { issuesTokens: false });
    const long = 'p'.repeat(72);
    for (const [name, password] of [
      ['foo', 'correct horse'],
      ['long', long],
    ] as const) {
      const input = `${password}\n`;
      t.match(await run(['users', 'add', `${name}@bar.com`], { cwd, env: before, input }), { code: 0 });
    }
    const { users, findPeppers, close } = await openDatabase(databaseUrl);
    t.teardown(close);
    const [name = ''] = (await findPeppers()).names;
    t.match(name, /^[0-9a-f]{8}$/);
    // As an earlier version stores it, and an import.
    const { passwordDigest = '' } = (await users.find({ email: 'foo@bar.com' })) ?? {};
    await users.add('earlier@bar.com', { passwordDigest, peppered: true, pepper: null });
    await users.add('imported@bar.com', storedDigest(passwordDigest));
    await users.add('plain@bar.com', { ...(await createPasswords(PLAIN).hash('correct horse')), pepper: name });

    const refused = { code: 78, stderr: new RegExp(`named ${name} in the database.*set BCRYPT_PEPPER_PREVIOUS`) };
    t.match(await run(['serve'], { cwd, env: after }), refused);
    t.match(await run(['serve', '--check'], { cwd, env: after }), refused);
    t.match(await run(['users', 'add', 'bar@bar.com'], { cwd, env: after, input: 'correct horse\n' }), refused);
    t.match(
      await run(['users', 'set-password', 'foo@bar.com'], { cwd, env: after, input: 'correct horse\n' }),
      refused,
    );
    t.match(await run(['serve', '--check'], { cwd, env: between }), { code: 0, stderr: '' });
    const countsOf = async (env: NodeJS.ProcessEnv) => {
      const { formats } = JSON.parse((await run(['users', 'stats', '--json'], { cwd, env })).stdout);
      const counts = formats.map(({ pepper, current, users }: Record<string, unknown>) => [pepper, current, users]);
      return new Map(counts.map(([pepper, ...rest]: unknown[]) => [pepper, rest]));
    };
    t.same(
      await countsOf(between),
      new Map<unknown, unknown>([
        ['previous', [false, 2]],
        ['unnamed', [false, 2]],
        [null, [true, 1]],
      ]),
    );
    t.match(
      (await run(['users', 'stats'], { cwd, env: between })).stdout,
      / upgraded at login {2}the previous pepper\n/,
    );
    t.match((await run(['users', 'stats'], { cwd, env: after })).stdout, / can’t log in {2}another pepper\n/);

    const service = await start(t, { cwd, env: between });
    for (const email of ['foo', 'long', 'earlier', 'imported', 'plain'].map((local) => `${local}@bar.com`)) {
      t.equal((await login(service.url, 'barfoo', email)).status, 401, email);
      t.equal((await login(service.url, email.startsWith('long') ? long : 'correct horse', email)).status, 200, email);
    }
    for (const id of [1, 2, 3, 4])
      await service.written(`"userId":${id},"msg":"stored the password in the current form"`);
    await stop(t, service);
    t.same(
      await countsOf(after),
      new Map<unknown, unknown>([
        ['current', [true, 4]],
        [null, [true, 1]],
      ]),
    );
    t.not((await findPeppers()).names[0], name);
    t.equal(
      (await users.find({ email: 'plain@bar.com' }))?.pepper,
      name,
      'a name that an earlier version left counts nowhere',
    );

    const next = await start(t, { cwd, env: after });
    t.equal((await login(next.url, 'correct horse')).status, 200, 'without the previous pepper');
    await stop(t, next);
  });

  t.test(`the names of many peppers on ${provider}`, async (t) => {
    const DATABASE_URL = await createDatabase(t, provider);
    const { databaseUrl } = readConfig({ DATABASE_URL }, { issuesTokens: false });
    await migrate(databaseUrl);
    const { users, findPeppers, close } = await openDatabase(databaseUrl);
    t.teardown(close);
    const { salt, names } = await findPeppers();
    t.same(names, []);
    t.equal(salt.length >= 64, true);
    const digests: Omit<StoredDigest, 'passwordDigest'>[] = [
      ...['ffffffff', '00000000', '0a0a0a0a', '00000000'].map((pepper) => ({ peppered: true, pepper })),
      { peppered: true, pepper: null },
      { peppered: false, pepper: '11111111' },
      { peppered: null, pepper: '22222222' },
    ];
    for (const [i, digest] of digests.entries())
      await users.add(`${i}@bar.com`, { passwordDigest: '$2b$04$digest', ...digest });
    // Of an earlier version, which does not know the name.
    const stale = { passwordDigest: '$argon2id$digest', peppered: true, pepper: '33333333' };
    await users.add('stale@bar.com', stale);
    t.same(await findPeppers(), { salt, names: ['00000000', '0a0a0a0a', 'ffffffff'] });
  });
}
