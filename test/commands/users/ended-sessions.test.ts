import { writeFile } from 'node:fs/promises';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { run } from '../../support/executable.js';
import { bearer } from '../../support/keys.js';
import { send } from '../../support/send.js';
import { createDatabase, startService } from '../../support/service.js';
import { CHEAP, getToken } from '../../support/steady-logins.js';

const OTHER_DIGEST = '$2a$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';
const EMAIL = 'foo@bar.com';

/** What an operator does, by its arguments, its standard input, or the file that is imported. */
const ENDING: { [what: string]: { args: string[]; input?: string; file?: string } } = {
  'users revoke-sessions': { args: ['revoke-sessions', EMAIL] },
  'users set-password': { args: ['set-password', EMAIL], input: 'correct horse\n' },
  'users disable': { args: ['disable', EMAIL] },
  'users delete': { args: ['delete', EMAIL, '--yes'] },
  'an import of another digest': { args: ['import'], file: `email,password_digest\n${EMAIL},${OTHER_DIGEST}\n` },
  'an import that disables': {
    args: ['import'],
    file: `email,password_digest,disabled_at\n${EMAIL},DIGEST,2026-01-01T00:00:00Z\n`,
  },
};

const NOT_ENDING: typeof ENDING = {
  'users unlock': { args: ['unlock', EMAIL] },
  'users enable': { args: ['enable', EMAIL] },
  'an import that changes nothing': { args: ['import'], file: `email,password_digest\n${EMAIL},DIGEST\n` },
  'a rehearsal of an import': {
    args: ['import', '--dry-run'],
    file: `email,password_digest\n${EMAIL},${OTHER_DIGEST}\n`,
  },
  'an import of another user': { args: ['import'], file: `email,password_digest\nelse@bar.com,${OTHER_DIGEST}\n` },
};

for (const provider of PROVIDERS) {
  t.test(`what ends the sessions of a user on ${provider}`, async (t) => {
    for (const [steps, expected] of [
      [ENDING, 401],
      [NOT_ENDING, 200],
    ] as const) {
      for (const [what, { args, input = '', file }] of Object.entries(steps)) {
        const cwd = t.testdir();
        const databaseUrl = await createDatabase(t, provider);
        const service = await startService(t, provider, { databaseUrl, env: CHEAP });
        await service.addUser(EMAIL, 'foobar');
        const env = { DATABASE_URL: databaseUrl, ...CHEAP };
        const { stdout } = await run(['users', 'export'], { cwd, env });
        const session = { path: '/api/v1/session', headers: bearer(await getToken(service.url)) };
        t.equal((await send(service.url, session)).status, 200);

        if (file) await writeFile(`${cwd}/users.csv`, file.replace('DIGEST', JSON.parse(stdout).password_digest));
        const more = file ? ['--on-conflict', 'update', 'users.csv'] : [];
        const { code, stderr } = await run(['users', ...args, ...more], { cwd, env, input });
        t.equal(code, 0, stderr);
        t.equal((await send(service.url, session)).status, expected, what);
      }
    }
  });
}
