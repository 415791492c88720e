/** An empty cell changes nothing that is stored, null clears, and no digest is lost. */
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { run } from '../../../support/executable.js';
import { createDatabase } from '../../../support/service.js';

const BCRYPT = '$2a$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';
const TIME = '2020-01-01T00:00:00.000Z';

for (const provider of PROVIDERS) {
  t.test(`--on-conflict update on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider) };
    const users = (args: string[], input?: string) => run(['users', ...args], { cwd, env, input });
    const stored = async () => JSON.parse((await users(['export'])).stdout);
    const imports = async (input: string, ...args: string[]) => {
      const { code, stdout, stderr } = await users(
        ['import', '-', '--json', '--on-conflict', 'update', ...args],
        input,
      );
      t.equal(code, 0, stderr);
      return JSON.parse(stdout);
    };
    const csv = (digest: string, peppered: string, disabledAt: string) =>
      `email,password_digest,peppered,disabled_at,created_at\na@x,${digest},${peppered},${disabledAt},\n`;
    const times = { disabled_at: TIME, created_at: TIME, email_confirmed_at: TIME };
    const whole = { id: 1, password_digest: BCRYPT, peppered: true, ...times };

    await imports(JSON.stringify({ ...whole, email: 'a@x' }));
    t.match(await imports(csv(BCRYPT, '', '')), { unchanged: 1 });
    t.match(await imports(csv(BCRYPT, '', '\\N')), { unchanged: 1 }, 'NULL of MySQL');
    for (const digest of ['', '\\N', '!unusable']) {
      t.match(await imports(csv(digest, 'false', ''), '--allow-no-password'), { unchanged: 1, without_password: 1 });
    }
    t.match(await imports('{"email":"a@x","password_digest":null,"peppered":null}', '--allow-no-password'), {
      unchanged: 1,
    });
    t.match(await stored(), whole, 'nothing has changed');

    t.match(await imports(csv(BCRYPT, '', ''), '--empty-enables'), { updated: 1 });
    t.match(await stored(), { ...whole, disabled_at: null });
    await users(['disable', 'a@x']);
    t.match(await imports(JSON.stringify({ ...whole, email: 'a@x', disabled_at: null, peppered: null })), {
      updated: 1,
    });
    t.match(await stored(), { ...whole, disabled_at: null, peppered: null });

    const moved = { id: 1, email: 'b@x', password_digest: BCRYPT };
    await imports(JSON.stringify(moved));
    t.match(await stored(), { ...moved, email_confirmed_at: null }, 'a new email is not confirmed');
    await imports(JSON.stringify({ ...moved, email_confirmed_at: TIME }));
    t.match(await stored(), { ...moved, email_confirmed_at: TIME });
    await imports(JSON.stringify({ ...moved, email_confirmed_at: null }));
    t.match(await stored(), { ...moved, email_confirmed_at: null });
  });
}
