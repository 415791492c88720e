import { Writable } from 'node:stream';
import t, { type Test } from 'tap';
import { type AppOptions, buildApp } from '#built/app.js';
import { readConfig } from '#built/config/config.js';
import { type Contract, loadContract, operationNamed } from '#built/contract/contract.js';
import type { Database } from '#built/database/database.js';
import { createServices } from '#built/services.js';
import { createLog } from '#built/telemetry/log.js';
import { deriveKey } from '#built/throttle/keys.js';
import { checkReply } from './support/check-reply.js';
import { FORM } from './support/send.js';
import { SECRET } from './support/service.js';

const login = {
  method: 'POST' as const,
  url: '/api/v1/sessions',
  headers: FORM,
  payload: 'email=foo%40bar.com&password=foobar',
};

const unused = () => Promise.reject(new Error('unused'));

const broken: Database = {
  findForLogin: () => Promise.reject(new Error('SELECT of foo@bar.com went wrong')),
  users: {
    find: unused,
    add: unused,
    count: unused,
    list: unused,
    listByEmail: unused,
    noteLogins: unused,
    replacePasswordDigest: unused,
    update: unused,
    delete: unused,
  },
  throttleCounters: {
    countFailure: async () => new Map(),
    reset: () => Promise.resolve(),
    remove: () => Promise.resolve(),
    removeExpired: () => Promise.resolve(0),
  },
  oneTimeTokens: {
    store: unused,
    find: unused,
    confirmEmail: unused,
    removeExpired: async () => 0,
  },
  findCaller: unused,
  poolUse: () => undefined,
  findPeppers: unused,
  userImport: { store: unused, rehearse: unused },
  sessions: {
    add: unused,
    find: unused,
    list: unused,
    renew: unused,
    end: unused,
    endAll: unused,
    endAllBetween: unused,
    endOthers: unused,
    removeExpired: () => Promise.resolve(0),
  },
  secrets: {
    read: unused,
    findThrottleKey: unused,
    throttleKey: unused,
    hasSecretBeside: unused,
    rememberSecretBeside: unused,
  },
  clockWarning: () => Promise.resolve(undefined),
  ping: () => Promise.resolve(),
  connectTo: unused,
  close: () => Promise.resolve(),
};

/** The contract with a change to one of its operations. */
function changed(change: (contract: Contract) => void): Contract {
  const contract = loadContract();
  change(contract);
  return contract;
}

/** Builds the service on a database that fails, and collects its log. */
async function build(t: Test, options: Partial<AppOptions> = {}) {
  const log: { level: number; msg: string; [key: string]: unknown }[] = [];
  const stream = new Writable({
    write(line, _encoding, done) {
      log.push(JSON.parse(line));
      done();
    },
  });
  const { contract = loadContract() } = options;
  const config = readConfig({}, { issuesTokens: true });
  const unobserved = { metrics: undefined, tracing: undefined };
  const logger = await createLog('info', stream);
  const tokenKeys = { signingKeys: [], secret: SECRET };
  const services = await createServices(broken, {
    ...config,
    ...unobserved,
    contract,
    tokenKeys,
    throttleKey: deriveKey(SECRET),
    log: logger,
  });
  const app = await buildApp({
    contract,
    config,
    services,
    log: logger,
    ...options,
  });
  t.teardown(() => app.close());
  return { app, log };
}

t.test('an unexpected error is a 500 with no detail; the log has it, under the request’s id', async (t) => {
  const { app, log } = await build(t);
  const reply = await app.inject(login);
  t.equal(reply.statusCode, 500);
  t.equal(reply.body, '{"message":"Internal server error","code":"internal_server_error"}');
  const headers = Object.fromEntries(Object.entries(reply.headers).map(([name, value]) => [name, String(value)]));
  const rawHeaders = Object.keys(headers);
  const checked = { status: 500, headers, rawHeaders, body: reply.body };
  t.same(checkReply({ method: 'POST', path: login.url }, checked), []);

  const [error, answered] = log;
  t.match(error, { level: 50, msg: 'SELECT of foo@bar.com went wrong', requestId: headers['x-request-id'] });
  t.match(answered, { level: 30, operationId: 'createSession', status: 500 });
  t.notMatch(JSON.stringify(log), /foobar/, 'the password is not logged');
});

t.test('the query of a URL is not logged', async (t) => {
  const { app, log } = await build(t);
  await app.inject({ url: '/livez?password=foobar' });
  t.match(log, [{ operationId: 'getLiveness', status: 200 }]);
  t.notMatch(JSON.stringify(log), /foobar/);
});

t.test('an operation without a handler stops the start', async (t) => {
  const contract = changed(({ operations }) => {
    operations.push({ ...operationNamed(loadContract(), 'getLiveness'), id: 'getNothing', path: '/nothing' });
  });
  await t.rejects(build(t, { contract }), { message: 'openapi.yaml: operation getNothing has no handler' });
});

t.test('a handler without an operation stops the start', async (t) => {
  const contract = changed((it) => {
    it.operations = it.operations.filter(({ id }) => id !== 'getLiveness');
  });
  await t.rejects(build(t, { contract }), { message: 'handler getLiveness has no operation in openapi.yaml' });
});

t.test('an operation that its package does not serve stops the start', async (t) => {
  const contract = changed((it) => {
    it.operations.push({ ...operationNamed(it, 'getDocumentation'), id: 'getMore', path: '/more' });
  });
  const { app } = await build(t, { contract });
  await t.rejects(async () => app.ready(), { message: /operation getMore is not served by @fastify\/swagger-ui/ });
});

t.test('a status that the operation does not declare is a 500, and the log names both', async (t) => {
  const contract = changed((it) => {
    operationNamed(it, 'createSession').replies.delete(415);
    operationNamed(it, 'getLiveness').replies.delete(200);
  });
  const { app, log } = await build(t, { contract });
  t.equal((await app.inject({ ...login, headers: { 'content-type': 'text/plain' } })).statusCode, 500);
  t.match(log[0], { level: 50, msg: 'openapi.yaml: createSession does not declare status 415' });

  log.length = 0;
  t.equal((await app.inject({ url: '/livez' })).statusCode, 500);
  t.match(log[0], { msg: 'operation getLiveness answered 200, which openapi.yaml does not declare' });
});

t.test('the address of the caller is a proxy’s word only where TRUST_PROXY says so', async (t) => {
  for (const [TRUST_PROXY, ip] of Object.entries({ false: '127.0.0.1', true: '192.0.2.9', 1: '192.0.2.1' })) {
    const { app, log } = await build(t, { config: readConfig({ TRUST_PROXY }, { issuesTokens: true }) });
    await app.inject({ url: '/livez', headers: { 'x-forwarded-for': '192.0.2.9, 192.0.2.1' } });
    t.equal(log[0]?.ip, ip, `TRUST_PROXY=${TRUST_PROXY}`);
  }
});
