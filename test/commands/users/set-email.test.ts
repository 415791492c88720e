import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { run } from '../../support/executable.js';
import { createDatabase, startService } from '../../support/service.js';
import { getToken } from '../../support/steady-logins.js';

for (const provider of PROVIDERS) {
  t.test(`ids that are given and emails that change, on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const databaseUrl = await createDatabase(t, provider);
    const service = await startService(t, provider, { databaseUrl });
    const id = String(await service.addUser('first@x', 'foobar'));
    const headers = { authorization: `Bearer ${await getToken(service.request, 'first@x')}` };
    const users = (...args: string[]) =>
      run(['users', ...args], { cwd, env: { DATABASE_URL: databaseUrl }, input: 'correct horse' });
    const refused = async (code: string, ...args: string[]) => {
      const { stdout, stderr } = await users(...args, '--json');
      t.equal(stdout, '');
      t.match(JSON.parse(stderr), { code, exit_code: 65 }, args.join(' '));
    };

    t.match(await users('add', 'second@x', '--id', '41'), { code: 0, stdout: '41\n' });
    await refused('id_taken', 'add', 'third@x', '--id', '41');
    await refused('email_taken', 'add', 'Second@x', '--id', '42');
    for (const wrong of ['0', '2147483648', '1.5', 'x'])
      t.match(await users('add', 'third@x', '--id', wrong), { code: 64, stdout: '' }, wrong);

    const stdout = `set the email of first@x (id ${id})\n`;
    t.match(await users('set-email', 'first@x', ' New@x '), { code: 0, stdout });
    t.equal((await service.request({ path: '/api/v1/session', headers })).status, 200, 'no session ends');
    t.ok(await getToken(service.request, 'new@x'), 'with the same password');
    await refused('email_taken', 'set-email', id, 'SECOND@x');
    t.match(await users('set-email', id, 'second'), { code: 65, stderr: /email must look like an email address/ });
    t.match(await users('set-email', 'first@x', 'third@x'), { code: 67 });
    t.match(await users('show', id), { stdout: /^email +new@x$/m }, 'nothing else has changed');
    t.match(await users('set-email', id, 'new@x'), { code: 0 }, 'of the same user');
  });
}
