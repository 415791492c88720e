import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { loadContract, operationNamed } from '#built/contract/contract.js';
import { bearer, claimsOf, jwkSet, RFC_8037 } from '../support/keys.js';
import { send } from '../support/send.js';
import { execute, type Service, startService } from '../support/service.js';
import { login, loginRequest } from '../support/steady-logins.js';

const contract = loadContract();
const REFRESH = operationNamed(contract, 'refreshSession');
const { auth_token: TOKEN, refresh_token: REFRESH_TOKEN } = REFRESH.replies.get(200)?.example ?? {};
/** Differ from one run to the next. */
const VOLATILE = /"(?:[\w-]+\.[\w-]+\.[\w-]+|rt_[\w-]+|[\da-f]{8}-[\da-f-]{27}|\d{4}-\d\d-\d\dT[\d:.]+Z)"/g;

/** What they reply depends on the users that there are, and on what was done with them before: the contract tests have recorded it. */
const OF_USERS = /\/api\/v1\/(users|user(?!\/sessions))/;

t.test('docs/api.md: its curl commands are answered as it says', async (t) => {
  // When the examples were recorded.
  const now = () => 1_575_397_455_999;
  const renewing = { TOKEN_TTL_SECONDS: '300', REFRESH_TOKEN_TTL_SECONDS: '36000' };
  const directory = t.testdir();
  const urlOf = (name: string) => `file:${directory}/${name}.db`;
  const startOn = (name: string, env = {}) => startService(t, 'sqlite', { now, databaseUrl: urlOf(name), env });
  const services = {
    renewing: await startOn('users', renewing),
    other: await startOn('users'),
    keyed: await startOn('keyed', { JWT_KEYS: jwkSet([RFC_8037]) }),
  };
  const failing: { [status: string]: Service } = {
    429: await startOn('throttled', { THROTTLE_EMAIL_ADDRESS: '1' }),
    503: await startOn('broken'),
  };
  await services.other.addUser('foo@bar.com', 'foobar');
  await failing[429]?.request(loginRequest('toets', 'nonexist@mail.com'));
  const broken = readConfig({ DATABASE_URL: urlOf('broken') }, { issuesTokens: false }).databaseUrl;
  await execute(broken, 'ALTER TABLE users RENAME TO moved');

  const documentation = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const [, ...examples] = documentation.split(/^## /m);
  t.ok(examples.length > 3);
  for (const example of examples) {
    const [, command = ''] = example.match(/^```shell\n(.*?)\n```$/ms) ?? [];
    if (OF_USERS.test(command)) continue;
    const [, status = '', body = ''] = example.match(/^(\d{3}) [^\n]*\n```(?:\n+```json\n(.*?)\n```$)?/ms) ?? [];
    const isRenewed = command.includes(REFRESH.path) && status !== '404';
    const { url } = isRenewed ? services.renewing : services.other;
    const asked = command.includes('jwks.json') ? services.keyed.url : (failing[status]?.url ?? url);
    const logIn = async () => JSON.parse((await login(url)).body);
    const [session, another] = [await logIn(), await logIn()];
    if (status === '401')
      await send(url, { method: 'DELETE', path: '/api/v1/session', headers: bearer(session.auth_token) });
    const here = command
      .replace('curl ', `curl --connect-to example.org:80:${new URL(asked).host} --write-out '\\n%{http_code}' `)
      .replaceAll(String(TOKEN), session.auth_token)
      .replaceAll(String(REFRESH_TOKEN), session.refresh_token)
      .replace(/(sessions\/)[\da-f-]{36}/, `$1${claimsOf(another.auth_token).sid}`);
    const { stdout } = await promisify(execFile)('sh', ['-c', here]);
    const [answer = '', code] = stdout.split('\n');
    t.equal(code, status, command);
    const stable = (text: string) => shapeOf(JSON.parse(text.replaceAll(VOLATILE, '""') || 'null'));
    t.same(stable(answer), stable(body));
  }
});

/** A list stands for its items, which are all of one shape. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([name]) => name !== 'current' && name !== 'user_agent');
  return Object.fromEntries(members.map(([name, member]) => [name, shapeOf(member)]));
}
