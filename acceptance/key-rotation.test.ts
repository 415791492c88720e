/**
 * Two instances behind a proxy that share a file of keys, which rotate while users log in, and the service and other services
 * are asked about every token issued so far.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type Running, run } from '../test/support/executable.js';
import { bearer } from '../test/support/keys.js';
import { send } from '../test/support/send.js';
import { UNTHROTTLED } from '../test/support/service.js';
import { login } from '../test/support/steady-logins.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { NGINX, noProxy, PROXIES, prepareProxy, startBehind } from './proxies.js';
import { build, GOOD_ANSWER, ISSUER, missing, startVerifier, TOOLCHAINS } from './verifiers.js';

const TTL_SECONDS = 10;
const KEYS = { JWT_KEYS_FILE: 'keys/keys.json', TOKEN_TTL_SECONDS: String(TTL_SECONDS) };
const CLAIMS = { JWT_ISSUER: ISSUER, JWT_AUDIENCE: 'orders' };
const CLIENTS = 4;
/** Which proxy, the algorithm of the key that is added, and who verifies too: programs for ES256, that need no install. */
const ROTATIONS = PROXIES.map((example) =>
  example === NGINX
    ? { example, algorithm: 'ES256', languages: ['node', 'go', 'ruby'] }
    : { example, algorithm: 'EdDSA', languages: [] },
);
/** Milliseconds. Within this time of a fetch, verifiers do not fetch the keys again for a kid that they do not know. */
const FETCHES_AGAIN_AFTER = 31_000;

t.setTimeout(600_000);

type Token = { text: string; kid: string; exp: number };

function parse(text: string): Token {
  const [header = '', claims = ''] = text.split('.').map((part) => Buffer.from(part, 'base64url').toString());
  return { text, kid: JSON.parse(header).kid, exp: JSON.parse(claims).exp };
}

const isGood = ({ exp }: Token) => exp * 1000 > Date.now();

async function askAt(url: string, { text }: Token) {
  return (await send(url, { path: '/api/v1/session', headers: bearer(text) })).status;
}

/** Says whether a token is good: the service, or another service. */
type Asked = { name: string; accepts(token: Token): Promise<boolean> };

/** Logs in all the time, and asks everybody about tokens that have not expired, chosen at random. */
function startLoad(url: string, everybody: Asked[]) {
  const tokens: Token[] = [];
  let good: Token[] = [];
  const failures: unknown[] = [];
  /** Tokens that were accepted, by who was asked and by kid. */
  const accepted = new Map<string, number>();
  const replies = new EventTarget();
  let going = true;

  async function logIn(): Promise<void> {
    const { status, body } = await login(url);
    if (status !== 200) return void failures.push({ login: status });
    const token = parse(JSON.parse(body).auth_token);
    tokens.push(token);
    good.push(token);
  }

  async function ask({ name, accepts }: Asked): Promise<void> {
    good = good.filter(isGood);
    const token = good[Math.floor(Math.random() * good.length)];
    if (!token) return logIn();
    const { kid } = token;
    if (await accepts(token)) accepted.set(`${name} ${kid}`, (accepted.get(`${name} ${kid}`) ?? 0) + 1);
    else if (isGood(token)) failures.push({ name, kid });
  }

  async function repeat(request: () => Promise<void>): Promise<void> {
    while (going) {
      await request().catch((error) => failures.push(String(error)));
      replies.dispatchEvent(new Event('reply'));
    }
  }
  const loops = [
    ...Array.from({ length: CLIENTS }, () => repeat(logIn)),
    ...everybody.map((who) => repeat(() => ask(who))),
  ];
  const until = async (condition: () => boolean) => {
    while (!condition() && failures.length === 0) await once(replies, 'reply');
    if (failures.length > 0) throw new Error(`refused: ${JSON.stringify(failures)}`);
  };
  return {
    failures,
    until,
    /** Resolves with the tokens when each key has signed one more, and everybody has accepted 20 more of each one's. */
    async sees(...kids: string[]): Promise<Token[]> {
      const [length, before] = [tokens.length, new Map(accepted)];
      const signedWith = (kid: string) => tokens.slice(length).find((token) => token.kid === kid);
      const seenBy = ({ name }: Asked, kid: string) =>
        (accepted.get(`${name} ${kid}`) ?? 0) >= (before.get(`${name} ${kid}`) ?? 0) + 20;
      await until(() => kids.every((kid) => signedWith(kid) && everybody.every((who) => seenBy(who, kid))));
      return kids.flatMap((kid) => signedWith(kid) ?? []);
    },
    /** The keys that have signed since so many tokens were issued. */
    kidsSince: (count: number) => [...new Set(tokens.slice(count).map(({ kid }) => kid))],
    issued: () => tokens.length,
    async stop() {
      going = false;
      await Promise.all(loops);
    },
  };
}

/** The service behind a proxy, and services in other languages that keep its public keys. */
async function everybodyBehind(t: Test, url: string, cwd: string, languages: string[]): Promise<Asked[]> {
  const everybody = [{ name: 'the service', accepts: async (token: Token) => (await askAt(url, token)) === 200 }];
  for (const toolchain of TOOLCHAINS.filter(({ directory }) => languages.includes(directory))) {
    await t.test(toolchain.heading, { skip: missing(toolchain) }, async (inner) => {
      const { name, ask } = startVerifier(
        t,
        await build(inner, toolchain, join(cwd, toolchain.directory), url),
        'jwks',
      );
      everybody.push({ name, accepts: async ({ text }) => GOOD_ANSWER.test(await ask(text)) });
    });
  }
  return everybody;
}

const reloadsOf = (instance: Running) => instance.output().split('changed: the signing keys').length - 1;

for (const { example, algorithm, languages } of ROTATIONS) {
  t.test(`${example.name}: a rotation refuses no good token`, { skip: noProxy(example) }, async (t) => {
    const postgresql = await startTemporaryPostgresql();
    t.teardown(() => postgresql.stop());
    const cwd = t.testdir({ keys: {} });
    const keys = async (...args: string[]) => run(['keys', ...args], { cwd, env: KEYS });
    const kidsOf = (jsonLines: string) => jsonLines.split('\n').flatMap((line) => (line ? [JSON.parse(line).kid] : []));
    t.equal((await keys('generate')).code, 0);
    const proxy = await prepareProxy(t, example);
    const { instances } = await startBehind(t, proxy, {
      cwd,
      env: { DATABASE_URL: postgresql.url, ...UNTHROTTLED, ...KEYS, ...CLAIMS },
    });
    const everybody = await everybodyBehind(t, proxy.url, cwd, languages);
    const load = startLoad(proxy.url, everybody);
    const reload = async (...some: Running[]) => {
      const before = some.map(reloadsOf);
      for (const instance of some) instance.kill('SIGHUP');
      await load.until(() => some.every((instance, index) => reloadsOf(instance) === (before[index] ?? 0) + 1));
    };
    const [one, other] = instances;
    if (!one || !other) throw new Error('two were started');

    t.equal((await keys('add', '--algorithm', algorithm)).code, 0);
    const [old = '', added = ''] = kidsOf((await keys('list', '--json')).stdout);
    await load.sees(old);
    const fetched = performance.now();
    await reload(one, other);
    do await load.sees(old);
    while (languages.length > 0 && performance.now() < fetched + FETCHES_AGAIN_AFTER);
    t.same(load.kidsSince(0), [old], 'the added key does not sign');

    t.equal((await keys('promote', '--force', '--', added)).code, 0);
    await reload(one);
    const tokens = await load.sees(old, added);
    t.equal(tokens.length, 2, 'one signs with the new key, the other with the old');
    for (const token of tokens) {
      for (const { url } of instances) t.equal(await askAt(url, token), 200, 'and each knows both');
    }
    await reload(other);
    const publishedAt = new Date().toISOString();
    // Logins that were on their way have been answered by then.
    await load.sees(added);
    const issued = load.issued();
    await load.sees(added);
    t.same(load.kidsSince(issued), [added]);

    const remove = () => keys('remove', '--published-at', publishedAt, '--', old);
    let removal = await remove();
    t.equal(removal.code, 75, 'a token of the old key has not expired');
    while (removal.code === 75) {
      await load.sees(added);
      removal = await remove();
    }
    t.equal(removal.code, 0, removal.stderr);
    await reload(one, other);
    await load.sees(added);
    await load.stop();
    t.same(load.failures, []);
    t.comment(`${load.issued()} logins`);
  });
}
