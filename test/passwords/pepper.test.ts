import { setImmediate as nextTurn } from 'node:timers/promises';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { openDatabase } from '#built/database/database.js';
import type { StoredDigest } from '#built/database/users.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { run } from '../support/executable.js';
import { FORM } from '../support/send.js';
import { createDatabase, startService } from '../support/service.js';
import { storedDigest } from '../support/stored-digest.js';

const PEPPER = 'salt and pepper';

for (const provider of PROVIDERS) {
  t.test(`peppered and plain digests beside each other on ${provider}`, async (t) => {
    const databaseUrl = await createDatabase(t, provider);
    const env = { DATABASE_URL: databaseUrl, BCRYPT_PEPPER: PEPPER };
    const plain = await createPasswords({ algorithm: 'bcrypt', cost: 4 }).hash('correct horse');
    const devise = await createPasswords({ algorithm: 'bcrypt', cost: 4, bcryptPepper: PEPPER }).hash('correct horse');
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
    const stored = () => database.users.list({ after: 0, limit: 10 });
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
}
