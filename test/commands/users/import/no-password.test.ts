/** Users who come without a password, such as those of an OAuth provider. */
import { writeFile } from 'node:fs/promises';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { run, start, stop } from '../../../support/executable.js';
import { FORM, send } from '../../../support/send.js';
import { createDatabase, SECRET } from '../../../support/service.js';

const BCRYPT = '$2a$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';

for (const provider of PROVIDERS) {
  t.test(`users without a password on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider), JWT_SECRET: SECRET };
    const users = (args: string[], input?: string) => run(['users', ...args], { cwd, env, input });
    await writeFile(`${cwd}/users.csv`, `email,password\nnone@x,\ndjango@x,!random\nfoo@x,${BCRYPT}\n`);

    t.match(await users(['import', 'users.csv']), {
      code: 65,
      stdout: '1 added, 0 updated, 0 unchanged, 2 rejected: see users.csv.rejected.jsonl\n',
      stderr:
        'line 2: password is missing; see --allow-no-password\nline 3: password is an unusable password; see --allow-no-password\n',
    });
    t.match(await users(['import', 'users.csv', '--allow-no-password']), {
      code: 0,
      stdout: '2 added, 0 updated, 1 unchanged, 0 rejected; 2 without a password\n',
    });
    t.match(
      await users(['import', '-', '--allow-no-password'], 'email\noauth@x\n'),
      { stdout: /^1 added/ },
      'no column',
    );
    t.match(await users(['show', 'none@x']), { stdout: /^password +none$/m });
    t.match(await users(['stats']), {
      stdout: /^3 +no password +can’t log in\n1 +bcrypt +cost=4 +upgraded at login$/m,
    });
    const { formats } = JSON.parse((await users(['stats', '--json'])).stdout);
    t.match(formats[0], { format: 'none', current: false, users: 3 });

    const { stdout: exported } = await users(['export']);
    t.match(exported, /"email":"none@x","password_digest":null,/);
    const other = { DATABASE_URL: await createDatabase(t, 'postgresql') };
    const copy = (...args: string[]) => run(['users', ...args], { cwd, env: other, input: exported });
    t.match(await copy('import', '-', '--allow-no-password'), { code: 0, stdout: /^4 added/ });
    t.equal((await copy('export')).stdout, exported, 'the copy is the same');

    const service = await start(t, { cwd, env });
    const login = async (email: string, password: string) => {
      const body = new URLSearchParams({ email, password }).toString();
      return (await send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body })).status;
    };
    t.equal(await login('foo@x', 'foobar'), 200);
    for (const password of ['foobar', '!', '!random']) t.equal(await login('none@x', password), 401, password);
    t.match(await users(['set-password', 'none@x'], 'of its own'), { code: 0 });
    t.equal(await login('none@x', 'of its own'), 200);
    t.equal(await login('django@x', 'of its own'), 401);
    await stop(t, service);
  });
}
