/** Two instances that share a file of keys, which rotate while users log in and ask with every token issued so far. */
import { once } from 'node:events';
import t from 'tap';
import { type Running, run } from '../test/support/executable.js';
import { bearer } from '../test/support/keys.js';
import { send } from '../test/support/send.js';
import { UNTHROTTLED } from '../test/support/service.js';
import { login } from '../test/support/steady-logins.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { noProxy, PROXIES, prepareProxy, startBehind } from './proxies.js';

const TTL_SECONDS = 10;
const KEYS = { JWT_KEYS_FILE: 'keys/keys.json', TOKEN_TTL_SECONDS: String(TTL_SECONDS) };
const CLIENTS = 4;

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

/** Logs in all the time, and asks with all tokens that have not expired by turns. */
function startLoad(url: string) {
  const tokens: Token[] = [];
  const failures: unknown[] = [];
  /** Tokens that were accepted, by kid. */
  const accepted = new Map<string, number>();
  const replies = new EventTarget();
  let going = true;
  let turn = 0;

  async function logIn(): Promise<void> {
    const { status, body } = await login(url);
    if (status === 200) tokens.push(parse(JSON.parse(body).auth_token));
    else failures.push({ login: status });
  }

  async function ask(): Promise<void> {
    const good = tokens.filter(isGood);
    turn += 1;
    const token = good[turn % good.length];
    if (!token) return logIn();
    const status = await askAt(url, token);
    if (status === 200) accepted.set(token.kid, (accepted.get(token.kid) ?? 0) + 1);
    else if (isGood(token)) failures.push({ kid: token.kid, status });
  }

  const loops = Array.from({ length: 2 * CLIENTS }, async (_, client) => {
    while (going) {
      await (client < CLIENTS ? logIn() : ask()).catch((error) => failures.push(String(error)));
      replies.dispatchEvent(new Event('reply'));
    }
  });
  const until = async (condition: () => boolean) => {
    while (!condition()) await once(replies, 'reply');
  };
  return {
    failures,
    until,
    /** Resolves with the tokens when each key has signed one more, and each one's tokens were accepted 20 times more. */
    async sees(...kids: string[]): Promise<Token[]> {
      const [length, before] = [tokens.length, new Map(accepted)];
      const signedWith = (kid: string) => tokens.slice(length).find((token) => token.kid === kid);
      await until(() =>
        kids.every((kid) => signedWith(kid) && (accepted.get(kid) ?? 0) >= (before.get(kid) ?? 0) + 20),
      );
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

const reloadsOf = (instance: Running) => instance.output().split('changed: the signing keys').length - 1;

for (const example of PROXIES) {
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
      env: { DATABASE_URL: postgresql.url, ...UNTHROTTLED, ...KEYS },
    });
    const load = startLoad(proxy.url);
    const reload = async (...some: Running[]) => {
      const before = some.map(reloadsOf);
      for (const instance of some) instance.kill('SIGHUP');
      await load.until(() => some.every((instance, index) => reloadsOf(instance) === (before[index] ?? 0) + 1));
    };
    const [one, other] = instances;
    if (!one || !other) throw new Error('two were started');

    t.equal((await keys('add', '--algorithm', 'EdDSA')).code, 0);
    const [old = '', added = ''] = kidsOf((await keys('list', '--json')).stdout);
    await load.sees(old);
    await reload(one, other);
    await load.sees(old);
    t.same(load.kidsSince(0), [old], 'the added key does not sign');

    t.equal((await keys('promote', '--force', added)).code, 0);
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

    const remove = () => keys('remove', old, '--published-at', publishedAt);
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
