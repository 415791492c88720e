import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { NO_PASSWORD } from '#built/database/users.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { namePeppers } from '#built/passwords/peppers.js';
import { createDatabase, startService, UNTHROTTLED } from '../support/service.js';
import { storedDigest } from '../support/stored-digest.js';

const PEPPER = { BCRYPT_PEPPER: 'salt and pepper' };

for (const provider of PROVIDERS) {
  t.test(`who has no password is verified against a stand-in’s, on ${provider}`, async (t) => {
    const databaseUrl = await createDatabase(t, provider);
    const config = readConfig({ DATABASE_URL: databaseUrl, ...PEPPER }, { issuesTokens: false });
    await migrate(config.databaseUrl);
    const database = await openDatabase(config.databaseUrl);
    t.teardown(() => database.close());
    const digestOf = async (email: string) => (await database.findForLogin({ email, counterKeys: ['key'] })).digest;
    const passwordless = Array.from({ length: 40 }, (_, i) => `none${i}@x`);
    for (const email of passwordless) await database.users.add(email, storedDigest(NO_PASSWORD));
    t.equal(await digestOf('none0@x'), undefined, 'no user has a password');
    t.equal(await digestOf('unknown@x'), undefined);

    const peppers = await namePeppers(config.peppers, await database.findPeppers());
    const passwords = createPasswords({ algorithm: 'bcrypt', cost: 4, peppers });
    const digests = new Set<string>();
    for (let i = 0; i < 40; i += 1) {
      const digest = await passwords.hash('foobar');
      digests.add(digest.passwordDigest);
      await database.users.add(`user${i}@x`, digest);
    }
    const drawn = new Set<string>();
    for (const email of [...passwordless, ...passwordless.map((known) => `un${known}`)]) {
      const digest = await digestOf(email);
      t.ok(digest && digests.has(digest.passwordDigest), email);
      t.match(digest, { peppered: true, pepper: peppers.current?.name }, 'so the stand-in’s pepper is tried');
      t.same(await digestOf(email), digest, 'the same each time');
      if (digest) drawn.add(digest.passwordDigest);
    }
    t.ok(drawn.size > 10, `${drawn.size} stand-ins`);

    const service = await startService(t, provider, { databaseUrl, env: { ...UNTHROTTLED, ...PEPPER }, passwords });
    const body = new URLSearchParams({ email: 'none0@x', password: 'foobar' }).toString();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status } = await service.request({ method: 'POST', path: '/api/v1/sessions', headers, body });
    t.equal(status, 401, 'with the password of the stand-in');
  });
}
