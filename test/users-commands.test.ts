import t from 'tap';
import { PROVIDERS } from '#built/migrations.js';
import { run, start } from './executable.js';
import { FORM, send } from './send.js';
import { createDatabase, SECRET } from './service.js';

for (const provider of PROVIDERS) {
  t.test(`users add on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider) };
    const add = (email: string, input: string | Buffer, more: NodeJS.ProcessEnv = {}) =>
      run(['users', 'add', email], { cwd, env: { ...env, ...more }, input });

    t.same(await add('foo@bar.com', 'foobar\n'), { code: 0, stdout: '1\n', stderr: '' }, 'prints the id');
    t.same(await add('second@bar.com', 'pass word\r\nmore\n', { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' }), {
      code: 0,
      stdout: '2\n',
      stderr: '',
    });

    for (const email of ['foo@bar.com', 'FOO@BAR.com', ' Foo@bar.com ']) {
      const { code, stdout, stderr } = await add(email, 'another\n');
      t.equal(code, 1);
      t.equal(stdout, '');
      t.equal(stderr, `sessions-api: email is taken: ${email}\n`);
    }

    const refused: [email: string, input: string | Buffer, said: RegExp][] = [
      ['foobar.com', 'x\n', /^sessions-api: email must look like an email address\n$/],
      ['', 'x\n', /email must look like an email address/],
      [`${'a'.repeat(255)}@b`, 'x\n', /email must have at most 254 characters/],
      ['a@b', '', /password must not be empty/],
      ['a@b', '\n', /password must not be empty/],
      ['a@b', 'p'.repeat(1025), /password must have at most 1024 characters/],
      ['a@b', 'a\0b', /password must not contain NUL/],
      ['a@b', Buffer.from([0xff, 0x0a]), /password is not valid UTF-8/],
      ['x', '', /email must look like .*; password must not be empty/],
    ];
    for (const [email, input, said] of refused) {
      const { code, stdout, stderr } = await add(email, input);
      t.equal(code, 1);
      t.equal(stdout, '');
      t.match(stderr, said);
    }
    const tooLong = await add('a@b', 'ä'.repeat(37), { PASSWORD_HASHING: 'bcrypt' });
    t.equal(tooLong.code, 1);
    t.match(tooLong.stderr, /^sessions-api: password must have at most 72 bytes/);

    const service = await start(t, { cwd, env: { ...env, JWT_SECRET: SECRET } });
    const login = async (email: string, password: string) => {
      const body = new URLSearchParams({ email, password }).toString();
      return (await send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body })).status;
    };
    t.equal(await login('foo@bar.com', 'foobar'), 200, 'the duplicates have changed nothing');
    t.equal(await login('foo@bar.com', 'another'), 401);
    t.equal(await login('second@bar.com', 'pass word'), 200, 'one line is the password');
    t.equal(await login('a@b', 'x'), 401);
  });
}
