/**
 * Two instances behind nginx, on PostgreSQL with TLS, while the JWT secret, the pepper and the role of the database rotate under
 * steady logins: each token is checked at both instances.
 */
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { type Running, run } from '../test/support/executable.js';
import { bearer } from '../test/support/keys.js';
import { send } from '../test/support/send.js';
import { execute, SECRET, UNTHROTTLED } from '../test/support/service.js';
import { CHEAP, isSignedWith, login, replaceFile } from '../test/support/steady-logins.js';
import { startTlsPostgresql } from '../test/support/tls-postgresql.js';
import { NGINX, noProxy, prepareProxy, startBehind } from './proxies.js';

const PEPPER = 'salt and pepper';
const NEW_PEPPER = 'salt and thyme';
const NEW_SECRET = 'another secret that only the tests know, and no service';
const CLIENTS = 4;
/** Milliseconds between the logins of one client: some 50 logins a second in all. */
const PAUSE = 80;

/** Logs in all the time, and asks each instance about each token. */
function startLoad(url: string, instances: Running[]) {
  const failures: unknown[] = [];
  const tokens: string[] = [];
  let going = true;
  async function loop(): Promise<void> {
    while (going) {
      const { status, body } = await login(url);
      if (status === 200) {
        const token: string = JSON.parse(body).auth_token;
        for (const instance of instances) {
          const answer = await send(instance.url, { path: '/api/v1/session', headers: bearer(token) });
          if (answer.status !== 200) failures.push({ session: answer.status, at: instance.url });
        }
        tokens.push(token);
      } else failures.push({ login: status });
      await wait(PAUSE);
    }
  }
  const loops = Array.from({ length: CLIENTS }, loop);
  return {
    tokens,
    async more(count: number) {
      for (const enough = tokens.length + count; tokens.length < enough; ) await wait(PAUSE);
    },
    async stop() {
      going = false;
      await Promise.all(loops);
      return failures;
    },
  };
}

t.test('no login fails, and no token is refused', { skip: noProxy(NGINX) }, async (t) => {
  const server = await startTlsPostgresql();
  t.teardown(server.stop);
  const sql = (statement: string) => execute({ provider: 'postgresql', href: server.url }, statement);
  await sql('CREATE ROLE app');
  await sql('GRANT ALL ON SCHEMA public TO app');
  for (const role of ['one', 'two']) {
    await sql(`CREATE ROLE ${role} LOGIN PASSWORD '${role}' IN ROLE app`);
    await sql(`ALTER ROLE ${role} SET role = app`);
  }
  const urlOf = (role: string) => {
    const url = Object.assign(new URL(server.url), { hostname: 'localhost', username: role, password: role });
    url.search = `sslmode=verify-full&sslrootcert=${server.directory}/ca.crt`;
    return url.href;
  };
  const peppers = { pepper: PEPPER, 'previous-pepper': '' };
  const cwd = t.testdir({ secret: SECRET, previous: '', ...peppers, url: urlOf('one') });
  const files = {
    JWT_SECRET_FILE: 'secret',
    JWT_SECRET_PREVIOUS_FILE: 'previous',
    BCRYPT_PEPPER_FILE: 'pepper',
    BCRYPT_PEPPER_PREVIOUS_FILE: 'previous-pepper',
    DATABASE_URL_FILE: 'url',
  };
  const proxy = await prepareProxy(t, NGINX);
  const options = { cwd, env: { ...CHEAP, ...UNTHROTTLED, ...files } };
  const { instances } = await startBehind(t, proxy, options);
  const load = startLoad(proxy.url, instances);

  /** One instance after the other, with logins in between. */
  async function apply(changed: string): Promise<void> {
    for (const instance of instances) {
      await load.more(20);
      instance.kill('SIGHUP');
      await instance.written(`changed: ${changed}`);
    }
    await load.more(20);
  }
  await replaceFile(`${cwd}/previous`, NEW_SECRET);
  await apply('the previous JWT secret');
  await replaceFile(`${cwd}/secret`, NEW_SECRET);
  await replaceFile(`${cwd}/previous`, SECRET);
  await apply('the JWT secret, the previous JWT secret');
  await replaceFile(`${cwd}/previous-pepper`, NEW_PEPPER);
  await apply('the previous pepper');
  await replaceFile(`${cwd}/previous-pepper`, PEPPER);
  await replaceFile(`${cwd}/pepper`, NEW_PEPPER);
  await apply('the pepper, the previous pepper');
  const { stdout } = await run(['users', 'stats', '--json'], options);
  t.match(JSON.parse(stdout).formats, [{ pepper: 'current', users: 1 }], 'no password has the old pepper');
  await replaceFile(`${cwd}/url`, urlOf('two'));
  await replaceFile(`${cwd}/previous-pepper`, '');
  await apply('the URL of the database, the previous pepper');

  t.same(await load.stop(), [], `of ${load.tokens.length} logins`);
  const signedWith = (secret: string) => load.tokens.filter((token) => isSignedWith(secret, token)).length;
  t.equal(signedWith(SECRET) + signedWith(NEW_SECRET), load.tokens.length);
  t.ok(signedWith(SECRET) > 0 && signedWith(NEW_SECRET) > 0, 'before the change and after it');
});
