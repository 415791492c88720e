/** kill -9 at random moments of a service and of commands: what was acknowledged is there afterwards, and the database opens every time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { MAIN, run, start } from '../test/support/executable.js';
import { bearer } from '../test/support/keys.js';
import { FORM, JSON_TYPE, send } from '../test/support/send.js';
import { createDatabase, execute, HIGH_BUDGETS, query, SECRET } from '../test/support/service.js';
import { getToken, login } from '../test/support/steady-logins.js';

const KILLS = 10;
const LOG_OUTS = 4;
const SESSIONS = 40;
const RENEWAL_KILLS = 3;
const BCRYPT = { PASSWORD_HASHING: 'bcrypt', BCRYPT_COST: '4' };

t.setTimeout(1_200_000);

t.test(`${KILLS} kills of a service, and of users commands, under writes`, async (t) => {
  const cwd = t.testdir();
  const env = { PATH: process.env.PATH, ...HIGH_BUDGETS, ...BCRYPT };
  const added = new Map<string, number>();
  let failuresCounted = 0;
  await run(['migrate'], { cwd, env });
  const begun = performance.now();
  await run(['users', 'add', '--allow-weak', 'undisturbed@bar.com'], { cwd, env, input: 'foobar' });
  let commandTakes = performance.now() - begun;

  for (let kill = 0; kill < KILLS; kill += 1) {
    const service = await start(t, { cwd, env });
    const login = (email: string) =>
      send(service.url, {
        method: 'POST',
        path: '/api/v1/sessions',
        headers: FORM,
        body: new URLSearchParams({ email, password: 'wrong' }).toString(),
      });
    let going = true;
    const fail = async () => {
      while (going) {
        const reply = await login('guessed@bar.com').catch(() => undefined);
        if (reply?.status === 401) failuresCounted += 1;
      }
    };
    const email = `user${kill}@bar.com`;
    const command = spawn(process.execPath, [MAIN, 'users', 'add', email], { cwd, env });
    command.stdin.on('error', () => {}).end('correct horse\n');
    const printed = text(command.stdout);
    const failing = [fail(), fail()];

    await wait(Math.random() * 2 * commandTakes);
    service.kill('SIGKILL');
    command.kill('SIGKILL');
    going = false;
    if (command.exitCode === null && command.signalCode === null) await once(command, 'exit');
    await Promise.all([service.exited, ...failing]);
    const id = await printed;
    if (id.endsWith('\n')) added.set(email, Number(id));
    // Beside a service under load it takes longer: half of the commands are to be acknowledged.
    commandTakes *= added.has(email) ? 0.8 : 1.25;
  }

  const service = await start(t, { cwd, env });
  t.equal((await send(service.url, { path: '/readyz' })).status, 200, 'the database opens, and can be written to');
  service.kill('SIGTERM');
  await service.exited;
  const database = { provider: 'sqlite', file: `${cwd}/data/sessions.db` } as const;
  t.same(await query(database, 'PRAGMA integrity_check'), [['ok']]);
  const users = new Map(
    (await query(database, 'SELECT email, id FROM users')).map(([email, id]) => [String(email), Number(id)]),
  );
  for (const [email, id] of added) t.equal(users.get(email), id, `${email} was acknowledged, and is there`);
  t.ok(added.size > 1, `${added.size} users were acknowledged`);
  t.ok(added.size < KILLS, 'some were not');
  const [[counted] = []] = await query(database, 'SELECT max(failures) FROM throttle_counters');
  t.ok(failuresCounted > 0, `${failuresCounted} failures were acknowledged`);
  t.ok(Number(counted) >= failuresCounted, `${counted} are counted`);
});

for (const provider of PROVIDERS) {
  t.test(`a service that is killed right after a log-out, on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const DATABASE_URL = await createDatabase(t, provider);
    const options = { cwd, env: { DATABASE_URL, JWT_SECRET: SECRET, ...HIGH_BUDGETS, ...BCRYPT } };
    await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { ...options, input: 'foobar\n' });
    const dead: string[] = [];
    for (let kill = 0; kill < LOG_OUTS; kill += 1) {
      const service = await start(t, options);
      const token = await getToken(service.url);
      t.notOk(dead.includes(token));
      const path = kill % 2 ? '/api/v1/session' : '/api/v1/user/sessions';
      const reply = await send(service.url, { method: 'DELETE', path, headers: bearer(token) });
      service.kill('SIGKILL');
      t.equal(reply.status, 204);
      dead.push(token);
      await service.exited;
    }
    const service = await start(t, options);
    for (const token of dead) {
      t.equal((await send(service.url, { path: '/api/v1/session', headers: bearer(token) })).status, 401);
    }
  });

  t.test(`a service that is killed amid renewals logs nobody out, on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const DATABASE_URL = await createDatabase(t, provider);
    const { databaseUrl } = readConfig({ DATABASE_URL }, { issuesTokens: false });
    const lifetimes = { TOKEN_TTL_SECONDS: '300', REFRESH_TOKEN_TTL_SECONDS: '3600' };
    const options = { cwd, env: { DATABASE_URL, JWT_SECRET: SECRET, ...lifetimes, ...HIGH_BUDGETS, ...BCRYPT } };
    await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { ...options, input: 'foobar\n' });
    let service = await start(t, options);
    const renew = async (refreshToken: string): Promise<{ status: number; refresh_token: string }> => {
      const body = JSON.stringify({ refresh_token: refreshToken });
      const request = { method: 'POST', path: '/api/v1/session/refresh', headers: JSON_TYPE, body };
      const { status, body: reply } = await send(service.url, request);
      return { status, ...JSON.parse(reply) };
    };
    const logins = await Promise.all(Array.from({ length: SESSIONS }, () => login(service.url)));
    const known: string[] = logins.map(({ body }) => JSON.parse(body).refresh_token);
    let lost = 0;
    for (let kill = 0; kill < RENEWAL_KILLS; kill += 1) {
      // As if a minute had passed: each renewal makes a new token.
      await execute(databaseUrl, 'UPDATE sessions SET last_used_at = 0');
      const renewals = known.map(async (token, index) => {
        const { refresh_token } = await renew(token);
        known[index] = refresh_token;
      });
      // One that has come back tells that the others are under way.
      await Promise.any(renewals);
      service.kill('SIGKILL');
      const results = await Promise.allSettled(renewals);
      lost += results.filter(({ status }) => status === 'rejected').length;
      await service.exited;
      service = await start(t, options);
      for (const [index, token] of known.entries()) {
        const { status, refresh_token } = await renew(token);
        t.equal(status, 200);
        known[index] = refresh_token;
      }
    }
    t.ok(lost > 0, `${lost} replies were lost`);
  });
}
