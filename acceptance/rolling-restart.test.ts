/** Two instances behind the proxies of deploy/, restarted one after the other under logins. */
import { setTimeout as wait } from 'node:timers/promises';
import t from 'tap';
import { FORM, send } from '../test/support/send.js';
import { SECRET } from '../test/support/service.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { noProxy, PROXIES, prepareProxy, startBehind } from './proxies.js';

const ROUNDS = 2;
const CLIENTS = 8;
/** A client's address, for which no other can stand in: all of 127.0.0.0/8 is this machine's. */
const CLIENT = '127.0.0.9';

t.setTimeout(600_000);

function login({ url }: { url: string }, password = 'foobar') {
  const body = new URLSearchParams({ email: 'foo@bar.com', password }).toString();
  const headers = { ...FORM, 'x-forwarded-for': '192.0.2.66' };
  return send(url, { method: 'POST', path: '/api/v1/sessions', headers, body, localAddress: CLIENT });
}

for (const example of PROXIES) {
  const { name } = example;
  t.test(`${name}: rolling restarts under logins lose none`, { skip: noProxy(example) }, async (t) => {
    const postgresql = await startTemporaryPostgresql();
    t.teardown(() => postgresql.stop());
    const proxy = await prepareProxy(t, example);
    const env = { DATABASE_URL: postgresql.url, JWT_SECRET: SECRET };
    const { instances, startAt } = await startBehind(t, proxy, { cwd: t.testdir(), env });

    const forged = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'elsewhere.example.com' };
    const contract = await send(proxy.url, { path: '/openapi.json', headers: forged });
    t.match(JSON.parse(contract.body), { servers: [{ url: proxy.url }] }, 'Swagger UI calls the proxy');

    const answers = new Map<string, number>();
    let going = true;
    const clients = Array.from({ length: CLIENTS }, async () => {
      while (going) {
        const answer = await login(proxy).then(
          ({ status }) => String(status),
          ({ message }) => message,
        );
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
        await wait(5);
      }
    });
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, port] of proxy.ports.entries()) {
        const logins = answers.get('200') ?? 0;
        instances[index]?.kill('SIGTERM');
        t.equal(await instances[index]?.exited, 0);
        t.ok((answers.get('200') ?? 0) > logins, 'logins go on');
        const restarted = await startAt(port);
        await restarted.written('"outcome":"succeeded"');
        instances[index] = restarted;
      }
    }
    going = false;
    await Promise.all(clients);
    t.same([...answers.keys()], ['200'], JSON.stringify(Object.fromEntries(answers)));
    const retries = await proxy.retries();
    t.comment(`${answers.get('200')} logins, ${retries} of them asked for again`);
    // It looks at /readyz, and so has no request on the way to an instance when that one stops.
    if (name === 'haproxy') t.equal(retries, 0);
  });

  t.test(`${name}: whose address, and which answers are passed on`, { skip: noProxy(example) }, async (t) => {
    const postgresql = await startTemporaryPostgresql();
    t.teardown(() => postgresql.stop());
    const proxy = await prepareProxy(t, example);
    const env = { DATABASE_URL: postgresql.url, JWT_SECRET: SECRET, THROTTLE_EMAIL_ADDRESS: '1' };
    const { instances } = await startBehind(t, proxy, { cwd: t.testdir(), env });
    const logged = (outcome: string) => {
      const lines = instances.flatMap((instance) => instance.output().split('\n'));
      const logins = lines.filter((line) => line.includes('"createSession"')).map((line) => JSON.parse(line));
      return logins.filter((login) => login.outcome === outcome);
    };

    t.equal((await login(proxy, 'wrong')).status, 401);
    const throttled = await login(proxy);
    t.equal(throttled.status, 429);
    t.match(throttled.headers['retry-after'], /^\d+$/);

    await postgresql.halt();
    t.teardown(() => postgresql.start());
    for (const { url } of instances) while ((await send(url, { path: '/readyz' })).status === 200) await wait(50);
    // So that HAProxy has noticed too.
    await wait(3_000);
    const unavailable = await login(proxy);
    t.equal(unavailable.status, 503);
    t.match(unavailable.headers['retry-after'], /^\d+$/);
    t.equal(
      unavailable.body,
      '{"message":"Service unavailable","code":"service_unavailable"}',
      'the service’s own answer',
    );

    // They write their last line before they exit.
    for (const instance of instances) instance.kill('SIGTERM');
    for (const instance of instances) t.equal(await instance.exited, 0);
    for (const outcome of ['wrong_password', 'throttled', 'database_unavailable']) {
      const lines = logged(outcome);
      t.equal(lines.length, 1, `${outcome}: only one instance was asked`);
      t.equal(lines[0]?.ip, CLIENT, 'and it knows the client');
    }
  });
}
