/** An application behind the proxies of deploy/forward-auth/, which ask the service who calls. */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { run, start } from '../test/support/executable.js';
import { parseReplies } from '../test/support/parse-replies.js';
import { type Reply, send } from '../test/support/send.js';
import { SECRET } from '../test/support/service.js';
import { CHEAP, getToken } from '../test/support/steady-logins.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';
import { type Example, FORWARD_AUTH, noProxy, prepareProxy } from './proxies.js';

const ORIGIN = 'https://app.example.com';
const PREFLIGHT = [`Origin: ${ORIGIN}`, 'Access-Control-Request-Method: POST'];
/** All that a CGI, WSGI or PHP application may take for X-User-Id, and what may end the proxy's own. */
const SPELLINGS = [
  ['X-User-Id: 666'],
  ['x-user-id: 666'],
  ['X-USER-ID: 666'],
  ['x-UsEr-iD: 666'],
  ['X_User_Id: 666'],
  ['X-User_Id: 666'],
  ['X_User-Id: 666'],
  ['x_user_id: 666'],
  ['X.User.Id: 666'],
  ['X-User.Id: 666'],
  ['X-User-Id : 666'],
  ['X-User-Id: 666', 'X-User-Id: 667'],
  ['X-User-Id: 666', 'X_User_Id: 666'],
  ['X-User-Id:'],
  ['X_User_Id:'],
  ['X-User-Id:', 'x-user-id: 666'],
  ['X-Other: 1', ' X-User-Id: 666'],
  ['Connection: close, X-User-Id'],
  ['X-User-Id: 666', 'Connection: x-user-id'],
];

t.setTimeout(300_000);

/** What the application has received. */
type Echo = { method: string; url: string; body: string /** Names and values by turns. */; fields: string[] };

/** An application that answers with what it has received. */
async function startApplication(t: Test, port: number) {
  const received: Echo[] = [];
  const server = createHttpServer({ maxHeaderSize: 65_536 }, async (request, response) => {
    const { method = '', url = '', rawHeaders } = request;
    const echo = { method, url, body: await text(request), fields: [...rawHeaders, ...request.rawTrailers] };
    received.push(echo);
    const { searchParams } = new URL(url, 'http://application');
    const reply = JSON.stringify(echo);
    response.writeHead(Number(searchParams.get('status') ?? 200), { 'content-length': Buffer.byteLength(reply) });
    response.end(reply);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    server.closeAllConnections();
    server.close();
  };
  t.teardown(stop);
  return { received, stop };
}

/** Stands before the service, and keeps what the proxy sends to it, by connection. */
async function startRelay(t: Test, port: number, serviceUrl: string) {
  const received: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const index = received.push('') - 1;
    const upstream = connect(Number(new URL(serviceUrl).port), '127.0.0.1');
    client.on('data', (chunk) => {
      received[index] += chunk.toString('latin1');
    });
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
      });
    }
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  t.teardown(stop);
  return { received, stop };
}

async function startBehind(t: Test, example: Example) {
  const postgresql = await startTemporaryPostgresql();
  t.teardown(() => postgresql.stop());
  const proxy = await prepareProxy(t, example);
  const [sessionsPort = 0, applicationPort = 0] = proxy.ports;
  const env = { DATABASE_URL: postgresql.url, JWT_SECRET: SECRET, CORS_ORIGINS: ORIGIN, ...CHEAP, ...proxy.env };
  const options = { cwd: t.testdir(), env };
  // So that the caller’s id is not the first one.
  await run(['users', 'add', '--allow-weak', 'first@bar.com'], { ...options, input: 'foobar' });
  const { stdout } = await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { ...options, input: 'foobar' });
  const service = await start(t, options);
  const relay = await startRelay(t, sessionsPort, service.url);
  const application = await startApplication(t, applicationPort);
  await proxy.start();
  return { proxy, postgresql, service, relay, application, userId: stdout.trim() };
}

/** Sends a request as it stands here, over a connection of its own. */
async function exchange({ url }: { url: string }, [line = '', ...fields]: string[], body = ''): Promise<Reply> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const closes = fields.some((field) => field.startsWith('Connection:')) ? [] : ['Connection: close'];
  socket.write([`${line} HTTP/1.1`, 'Host: app.example.com', ...closes, ...fields, '', body].join('\r\n'));
  let bytes = '';
  for await (const chunk of socket) {
    bytes += chunk;
    const [reply] = parseReplies(bytes);
    if (reply && Buffer.byteLength(reply.body) >= Number(reply.headers['content-length'] ?? 0)) break;
  }
  const [reply] = parseReplies(bytes);
  if (!reply) throw new Error(`no reply to ${line}: ${bytes}`);
  return reply;
}

/** The values of X-User-Id, by each name that an application may take for it. */
function userIdsOf({ fields }: Echo): string[] {
  const names = fields.map((name) => name.toUpperCase().replace(/[^A-Z0-9]/g, '_'));
  return fields.filter((_, index) => index % 2 === 1 && names[index - 1] === 'X_USER_ID');
}

for (const example of FORWARD_AUTH) {
  t.test(example.name, { skip: noProxy(example) }, async (t) => {
    const { proxy, postgresql, service, relay, application, userId } = await startBehind(t, example);
    const authorization = `Authorization: Bearer ${await getToken(service.url)}`;
    const forwarded = async (lines: string[], body?: string) => {
      const before = application.received.length;
      const reply = await exchange(proxy, lines, body);
      return { reply, echoes: application.received.slice(before) };
    };

    await t.test('the application sees who calls', async (t) => {
      const { reply, echoes } = await forwarded(['GET /path?query=1', authorization]);
      t.equal(reply.status, 200);
      const [echo] = echoes;
      t.match(echo, { method: 'GET', url: '/path?query=1' });
      t.same(echo && userIdsOf(echo), [userId]);
    });

    await t.test('who sends an X-User-Id is not believed', async (t) => {
      for (const spelling of SPELLINGS) {
        const { reply, echoes } = await forwarded(['GET /', ...spelling, authorization]);
        // A malformed field may be refused.
        if (reply.status !== 400) t.same(echoes.map(userIdsOf), [[userId]], `${spelling}, with a token`);
        t.equal(echoes.length, reply.status === 400 ? 0 : 1);
        for (const token of [[], ['Authorization: Bearer not.a.token']]) {
          const { reply, echoes } = await forwarded(['GET /', ...spelling, ...token]);
          t.ok([400, 401].includes(reply.status), `${spelling}, ${token.length ? 'with a bad token' : 'without'}`);
          t.same(echoes, []);
        }
        const preflight = await forwarded(['OPTIONS /', ...PREFLIGHT, ...spelling]);
        if (preflight.reply.status !== 400) {
          t.same(preflight.echoes.map(userIdsOf), [[]], `${spelling}, with a preflight`);
        }
      }
    });

    await t.test('without a good token: our 401', async (t) => {
      const challenges = [
        [[], 'Bearer realm="user"'],
        [['Authorization: Basic Zm9vOmJhcg=='], 'Bearer realm="user"'],
        [['Authorization: Bearer not.a.token'], 'Bearer realm="user", error="invalid_token"'],
        [[`${authorization}x`], 'Bearer realm="user", error="invalid_token"'],
      ] as const;
      for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'DELETE']) {
        for (const [token, challenge] of challenges) {
          const { reply, echoes } = await forwarded([`${method} /`, ...token]);
          t.equal(reply.status, 401, `${method} with ${token}`);
          t.equal(reply.headers['www-authenticate'], challenge);
          t.match(reply.headers['content-type'], 'application/json');
          if (method !== 'HEAD') t.same(JSON.parse(reply.body), { message: 'Unauthorized', code: 'unauthorized' });
          t.same(echoes, [], 'the application is not asked');
        }
      }
    });

    await t.test('pages of a listed origin may read the 401, others may not', async (t) => {
      for (const method of ['GET', 'HEAD', 'POST', 'DELETE']) {
        const { reply, echoes } = await forwarded([`${method} /`, `Origin: ${ORIGIN}`]);
        t.match(reply, {
          status: 401,
          headers: {
            vary: 'Origin',
            'access-control-allow-origin': ORIGIN,
            'access-control-expose-headers': /WWW-Authenticate/,
            'www-authenticate': 'Bearer realm="user"',
          },
        });
        t.equal(reply.rawHeaders.filter((name) => name.toLowerCase() === 'www-authenticate').length, 1);
        t.same(echoes, []);
        const other = (await forwarded([`${method} /`, 'Origin: https://evil.example.com'])).reply;
        t.match(other, { status: 401, headers: { vary: 'Origin', 'access-control-allow-origin': undefined } });
      }
    });

    await t.test('a preflight passes without a token, and is not for the service', async (t) => {
      const before = relay.received.join('');
      const { reply, echoes } = await forwarded(['OPTIONS /path', ...PREFLIGHT]);
      t.equal(reply.status, 200);
      t.match(echoes, [{ method: 'OPTIONS', url: '/path' }]);
      t.equal(relay.received.join(''), before);
      for (const [header] of PREFLIGHT.map((header) => [header])) {
        t.equal((await forwarded(['OPTIONS /path', header ?? ''])).reply.status, 401, `only ${header}`);
      }
    });

    await t.test('methods, bodies and large headers pass, and the service gets none of it', async (t) => {
      const body = `a body of ${'many bytes '.repeat(50_000)}`;
      const large = ['a', 'b', 'c'].map((name) => `Cookie: ${name}=${'c'.repeat(7_000)}`);
      const length = `Content-Length: ${body.length}`;
      const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\nX-User-Id: 666\r\n\r\n`;
      const before = relay.received.join('').length;
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
        const { echoes } = await forwarded([`${method} /?status=201`, authorization, length, ...large], body);
        t.match(echoes, [{ method, body }], method);
        t.same(echoes.map(userIdsOf), [[userId]]);
      }
      const inChunks = ['Transfer-Encoding: chunked', 'Trailer: X-User-Id'];
      const { echoes } = await forwarded(['POST /', authorization, ...inChunks], chunked);
      t.match(echoes, [{ method: 'POST', body }], 'in chunks');
      t.same(echoes.map(userIdsOf), [[userId]], 'not that of a trailer');
      const refused = await forwarded(['POST /', length], body);
      t.equal(refused.reply.status, 401);
      t.same(refused.echoes, []);
      const asked = relay.received.join('').slice(before);
      t.match(asked, /authorization: bearer/i);
      t.notMatch(asked, /many bytes|content-length: [1-9]|transfer-encoding|cookie/i);
      const paths = [...relay.received.join('').matchAll(/^(?:GET|HEAD) (\S+) HTTP/gm)].map(([, path]) => path);
      t.same(new Set(paths), new Set(['/api/v1/forward-auth']), 'nor the query');
    });

    await t.test('an application’s own errors are passed on', async (t) => {
      for (const status of [401, 403, 404, 500, 502, 503]) {
        const { reply } = await forwarded([`GET /?status=${status}`, authorization]);
        t.equal(reply.status, status);
        t.match(reply.body, '"GET"');
        t.equal(reply.headers['retry-after'], undefined);
      }
    });

    await t.test('connections to the service are kept', async (t) => {
      const connections = relay.received.length;
      const requests = 60;
      for (let request = 0; request < requests; request += 1) {
        const token = request % 3 ? [authorization] : [];
        t.equal((await exchange(proxy, ['GET /', ...token])).status, token.length ? 200 : 401);
      }
      t.ok(relay.received.length - connections < requests / 10, `${relay.received.length - connections} more`);
    });

    const unavailable = async (t: Test, allowed?: string) => {
      for (const line of ['GET /', 'HEAD /', 'POST /']) {
        const { reply, echoes } = await forwarded([line, authorization, 'X-User-Id: 666', `Origin: ${ORIGIN}`]);
        t.equal(reply.status, 503, line);
        t.match(reply.headers['retry-after'], /^\d+$/);
        t.match(reply.headers['content-type'], 'application/json');
        t.equal(reply.headers['access-control-allow-origin'], allowed);
        const body = { message: 'Service unavailable', code: 'service_unavailable' };
        if (line !== 'HEAD /') t.same(JSON.parse(reply.body), body);
        t.same(echoes, []);
      }
    };

    await t.test('the database is down: 503 with Retry-After', async (t) => {
      await postgresql.halt();
      await unavailable(t, ORIGIN);
      t.equal((await forwarded(['GET /'])).reply.status, 401, 'no token needs no database');
      await postgresql.start();
      while ((await send(service.url, { path: '/readyz' })).status !== 200);
      t.equal((await forwarded(['GET /', authorization])).reply.status, 200);
    });

    await t.test('the application is down: 502', async (t) => {
      await application.stop();
      t.equal((await forwarded(['GET /', authorization])).reply.status, 502);
    });

    await t.test('the service is down: 503 with Retry-After', async (t) => {
      await relay.stop();
      await unavailable(t);
    });
  });
}
