/** Failures that have nothing to do with a request: of each operation that declares them, from its first example. */
import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { loadContract, type Operation } from '#built/contract/contract.js';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { ADMIN_TOKEN, startApplication } from '../support/application.js';
import { bearer, claimsOf } from '../support/keys.js';
import { JSON_TYPE, type Request } from '../support/send.js';
import { createDatabase, execute, type ServiceOptions } from '../support/service.js';

const DETAIL = 'a detail that only the log may have';
const JSON_MEDIA_TYPE = 'application/json';
const contract = loadContract();

/** Starts the service with a user who has a session: requests name both. */
async function startWithSession(t: Test, provider: Provider, options: ServiceOptions = {}) {
  const env = { REFRESH_TOKEN_TTL_SECONDS: '86400' };
  const application = await startApplication(t, provider, { ...options, env });
  const id = await application.create('foo@bar.com');
  const token = await application.tokenOf('foo@bar.com');
  const tokens: { [scheme: string]: string } = { userToken: token, adminToken: ADMIN_TOKEN };

  function requestOf({ method, path, securityScheme: scheme, bodies }: Operation): Request {
    const example = bodies.get(JSON_MEDIA_TYPE)?.examples[0]?.value;
    return {
      method,
      path: path.replace('{id}', String(id)).replace('{sid}', claimsOf(token).sid),
      headers: { ...(scheme ? bearer(tokens[scheme] ?? '') : {}), ...(example ? JSON_TYPE : {}) },
      ...(example && { body: JSON.stringify(example) }),
    };
  }

  /** Expects of each operation that declares a status the reply that the contract has as its example. */
  async function expectOfAll(t: Test, status: number, change: (request: Request) => Request = (request) => request) {
    for (const operation of contract.operations) {
      const declared = operation.replies.get(status);
      if (!declared) continue;
      const reply = await application.request(change(requestOf(operation)));
      t.equal(reply.status, status, operation.id);
      t.same(JSON.parse(reply.body), declared.example, `${operation.id}: ${reply.body}`);
    }
  }
  return { expectOfAll, request: application.request };
}

for (const provider of PROVIDERS) {
  t.test(`when the database fails on ${provider}`, async (t) => {
    const DATABASE_URL = await createDatabase(t, provider);
    const { databaseUrl } = readConfig({ DATABASE_URL }, { issuesTokens: false });
    const { expectOfAll, request } = await startWithSession(t, provider, { databaseUrl: DATABASE_URL });
    for (const table of ['users', 'sessions', 'one_time_tokens']) {
      await execute(databaseUrl, `ALTER TABLE ${table} RENAME TO ${table}_moved`);
    }
    // The answer to the last ping is used for half a second more.
    while ((await request({ path: '/readyz' })).status === 200);
    await expectOfAll(t, 503);
  });

  t.test(`when the service has a defect on ${provider}`, async (t) => {
    let log = '';
    let defective = false;
    const { expectOfAll } = await startWithSession(t, provider, {
      logTo: { write: (line) => (log += line) },
      async beforeHandler() {
        if (defective) throw new Error(DETAIL);
      },
    });
    defective = true;
    await expectOfAll(t, 500);
    t.match(log, DETAIL);
  });

  t.test(`when the body is too long on ${provider}`, async (t) => {
    const { expectOfAll } = await startWithSession(t, provider);
    await expectOfAll(t, 413, (request) => ({ ...request, body: JSON.stringify({ email: 'a'.repeat(2 ** 15) }) }));
  });
}
