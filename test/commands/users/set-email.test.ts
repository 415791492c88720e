import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { run } from '../../support/executable.js';
import { createDatabase, startService } from '../../support/service.js';
import { getToken } from '../../support/steady-logins.js';

for (const provider of PROVIDERS) {
  t.test(`what a new email or a given id leaves as it is, on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const databaseUrl = await createDatabase(t, provider);
    const service = await startService(t, provider, { databaseUrl });
    const id = String(await service.addUser('first@x', 'foobar'));
    const headers = { authorization: `Bearer ${await getToken(service.request, 'first@x')}` };
    const users = (...args: string[]) =>
      run(['users', ...args], { cwd, env: { DATABASE_URL: databaseUrl }, input: 'correct horse' });

    t.match(await users('set-email', 'first@x', ' New@x '), { code: 0 });
    t.equal((await service.request({ path: '/api/v1/session', headers })).status, 200, 'no session ends');
    t.ok(await getToken(service.request, 'new@x'), 'with the same password');
    t.match(await users('set-email', id, 'new@x'), { code: 0 }, 'of the same user');
    t.match(await users('set-email', 'first@x', 'third@x'), { code: 67 });

    const taken = await users('add', 'New@x', '--id', '41', '--json');
    t.match(JSON.parse(taken.stderr), { code: 'email_taken', exit_code: 65 }, 'not the id');
    for (const wrong of ['0', '2147483648', '1.5', 'x'])
      t.match(await users('add', 'third@x', '--id', wrong), { code: 64, stdout: '' }, wrong);
    t.equal(JSON.parse((await users('list', '--json')).stdout).users.length, 1, 'nobody is added');
  });
}
