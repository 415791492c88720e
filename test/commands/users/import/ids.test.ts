/** The ids of users who come without one. */
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { run } from '../../../support/executable.js';
import { createDatabase, execute } from '../../../support/service.js';

const DIGEST = '$2a$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';

for (const provider of PROVIDERS) {
  t.test(`follow the largest one that was ever assigned, on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider) };
    const users = (args: string[], input = '') => run(['users', ...args], { cwd, env, input });
    const importAll = (...emails: string[]) =>
      users(['import', '-'], `email,password_digest\n${emails.map((email) => `${email},${DIGEST}\n`).join('')}`);
    const idOf = async (email: string) => (await users(['show', email])).stdout.match(/^id +(\d+)$/m)?.[1];
    await run(['migrate'], { cwd, env });

    if (provider === 'postgresql') {
      const { databaseUrl } = readConfig(env, { issuesTokens: false });
      // Found at the commit: both have one digest.
      await execute(
        databaseUrl,
        'ALTER TABLE users ADD CONSTRAINT late UNIQUE (password_digest) DEFERRABLE INITIALLY DEFERRED',
      );
      t.not((await importAll('one@x', 'two@x')).code, 0, 'an import that fails at its end');
      await execute(databaseUrl, 'ALTER TABLE users DROP CONSTRAINT late');
    }

    t.match(await importAll('one@x', 'two@x'), { code: 0, stdout: /^2 added/ });
    t.equal(await idOf('two@x'), '2', 'what failed has left no gap');
    t.match(await users(['delete', 'two@x', '--yes']), { code: 0 });
    t.match(await importAll('three@x'), { code: 0, stdout: /^1 added/ });
    t.equal(await idOf('three@x'), '3', 'no id is assigned twice');
    t.match(await users(['add', 'four@x'], 'correct horse'), { code: 0, stdout: '4\n' }, 'others follow an import');
  });
}
