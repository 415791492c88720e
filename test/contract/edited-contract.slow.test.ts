import { cp, readFile, symlink, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { run, start } from '../support/executable.js';
import { FORM, send } from '../support/send.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

const PROBE_PARAMETERS = `Replies 200 while the process runs, also if the database does not answer.
      parameters:
`;

const BAD_REQUEST = '        "400": { $ref: "#/components/responses/InvalidRequest" }\n';

/** Puts a copy of the built service into a directory of the test's own, with nothing but openapi.yaml changed. */
async function copyWith(t: Test, edits: [text: string, replacement: string][]): Promise<{ cwd: string; main: string }> {
  const cwd = t.testdir();
  for (const name of ['dist', 'prisma', 'package.json'])
    await cp(`${root}${name}`, `${cwd}/${name}`, { recursive: true });
  await symlink(`${root}node_modules`, `${cwd}/node_modules`);
  let contract = await readFile(`${root}openapi.yaml`, 'utf8');
  for (const [text, replacement] of edits) {
    t.ok(contract.includes(text), `the contract has ${JSON.stringify(text)}`);
    contract = contract.replace(text, replacement);
  }
  await writeFile(`${cwd}/openapi.yaml`, contract);
  return { cwd, main: `${cwd}/dist/main.js` };
}

t.test('openapi.yaml alone changes what the running service does', async (t) => {
  const options = await copyWith(t, [
    ['maxLength: 1024', 'maxLength: 8'],
    ['const: SAMEORIGIN', 'const: DENY'],
    ['const: max-age=0, private, must-revalidate', 'const: no-store'],
    ['x-max-content-length: 16384', 'x-max-content-length: 100'],
    ['          message: Unsupported media type', '          message: Send a form'],
    // The reply loses its only field, which the handler still answers.
    ['      required: [auth_token]\n', ''],
    ['        auth_token:\n', '        renamed_token:\n'],
    ['  /livez:', '  /live.z/{id}/x:'],
    [
      PROBE_PARAMETERS,
      `${PROBE_PARAMETERS}        - { name: id, in: path, required: true, schema: { type: integer } }
        - { name: most, in: query, schema: { type: integer, maximum: 100 } }\n`,
    ],
    ['          description: OK.', '          description: Alive.'],
    ['        "200":\n          description: Alive.', `${BAD_REQUEST}        "200":\n          description: Alive.`],
  ]);
  await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { ...options, input: 'foobar\n' });
  const service = await start(t, options);
  const login = (password: string, type: object = FORM) =>
    send(service.url, {
      method: 'POST',
      path: '/api/v1/sessions',
      headers: { ...type },
      body: `email=foo%40bar.com&password=${password}`,
    });

  const loggedIn = await login('foobar');
  t.equal(loggedIn.status, 200);
  t.equal(loggedIn.body, '{}', 'a removed field is not sent');
  t.equal(loggedIn.headers['x-frame-options'], 'DENY', 'a fixed header value');
  t.equal(loggedIn.headers['cache-control'], 'no-store');

  t.equal((await login('12345678')).status, 401);
  const tooLong = await login('123456789');
  t.equal(tooLong.status, 400, 'a maxLength');
  t.match(tooLong.body, /at most 8 characters/);
  t.equal((await login('x'.repeat(100))).status, 413);
  t.match(await login('foobar', {}), {
    status: 415,
    body: '{"message":"Send a form","code":"unsupported_media_type"}',
  });
  const statusAt = async (path: string, method = 'GET') => (await send(service.url, { path, method })).status;
  for (const path of ['/live.z/1/x', '/live.z/1/x?y=/z', '/live.z/1/x?most=7'])
    t.equal(await statusAt(path), 200, path);
  t.equal(await statusAt('/live.z/1/x', 'PUT'), 405);
  for (const [path, field] of [
    ['/live.z/one/x', 'id'],
    [`/live.z/${'x'.repeat(1_000)}/x`, 'id'],
    ['/live.z/1/x?most=101', 'most'],
    ['/live.z/1/x?most=1&most=2', 'most'],
  ] as const) {
    const refused = await send(service.url, { path });
    t.equal(refused.status, 400, `${field} is held to its schema, once it is read`);
    t.match(JSON.parse(refused.body).errors, [{ field }]);
  }
  for (const path of ['/livezz/1/x', '/live.z//x', '/live.z/1/2/x', '/live.z/1/x/'])
    t.equal(await statusAt(path), 404, path);
  t.equal((await send(service.url, { path: '/livez' })).status, 404);
});

t.test('an operation without a handler stops the start', async (t) => {
  const options = await copyWith(t, [['operationId: getLiveness', 'operationId: getPulse']]);
  const { code, stderr } = await run(['serve'], options);
  t.equal(code, 70);
  t.match(stderr, /operation getPulse has no handler/);
});

t.test('a security scheme that nobody implements stops the start', async (t) => {
  const unknown = await copyWith(t, [['        - userToken: []', '        - apiKey: []']]);
  const { code, stderr } = await run(['serve'], unknown);
  t.equal(code, 70);
  t.match(stderr, /operation getSession asks for apiKey, which is not implemented/);
});

t.test('an operation with security must declare 401', async (t) => {
  const options = await copyWith(t, [
    [
      '        "401":\n          $ref: "#/components/responses/Unauthorized"',
      '        "403":\n          $ref: "#/components/responses/Unauthorized"',
    ],
  ]);
  const { code, stderr } = await run(['serve'], options);
  t.equal(code, 70);
  t.match(stderr, /operation getSession must declare status 401/);
});
