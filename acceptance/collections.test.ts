import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { command } from '../test/support/command.js';
import { start } from '../test/support/executable.js';

const TOOLS = fileURLToPath(new URL('../clients/collections/node_modules/.bin/', import.meta.url));

type Sent = { method: string; url: string; status: number; body: string };

/** Runs one of the tools, and expects exit code 0. */
async function tool(t: Test, cwd: string, name: string, ...args: string[]): Promise<void> {
  const { code, output } = await command(cwd, join(TOOLS, name), ...args);
  t.equal(code, 0, `${name} ${args[0]}`, { output });
}

/**
 * Each tool imports the document into a collection, and sends all of it. Both are the vendors' own command lines, on
 * the importers of their applications, and nothing between import and sending is edited.
 */
const COLLECTIONS: { [name: string]: (t: Test, directory: string, document: string) => Promise<Sent[]> } = {
  Postman: async (t, directory, document) => {
    const [collection, report] = [join(directory, 'collection.json'), join(directory, 'report.json')];
    // "Parameter generation" in Postman: its manual gives Example as the default. This command line's is Schema, which
    // makes values up from the patterns unless a field has a `default`; credentials should not have one.
    const options = 'parametersResolution=Example';
    await tool(t, directory, 'openapi2postmanv2', '--spec', document, '--output', collection, '--options', options);
    await tool(t, directory, 'newman', 'run', collection, '--reporters', 'json', '--reporter-json-export', report);

    type Url = { protocol: string; host: string[]; port: string; path: string[] };
    type Execution = {
      request: { method: string; url: Url };
      response: { code: number; stream: { data: number[] } };
    };
    const { run }: { run: { executions: Execution[] } } = JSON.parse(await readFile(report, 'utf8'));
    return run.executions.map(({ request: { method, url }, response }) => ({
      method,
      url: `${url.protocol}://${url.host.join('.')}:${url.port}/${url.path.join('/')}`,
      status: response.code,
      body: Buffer.from(response.stream.data).toString(),
    }));
  },

  Bruno: async (t, directory, document) => {
    const report = join(directory, 'report.json');
    await tool(t, directory, 'bru', 'import', 'openapi', '--source', document, '--output', directory, '-n', 'imported');
    const collection = join(directory, 'imported');
    // Bruno makes an environment of each server, and leaves it to the person to choose one.
    const [file = '', ...others] = await readdir(join(collection, 'environments'));
    t.same(others, [], 'there is but one to choose');
    await tool(t, collection, 'bru', 'run', '-r', '--env', basename(file, '.yml'), '--reporter-json', report);

    type Result = { request: { method: string; url: string }; response: { status: number; data: unknown } };
    const [{ results }]: [{ results: Result[] }] = JSON.parse(await readFile(report, 'utf8'));
    return results.map(({ request: { method, url }, response: { status, data } }) => ({
      method,
      url,
      status,
      body: typeof data === 'string' ? data : JSON.stringify(data),
    }));
  },
};

type Operation = { operationId: string; security?: object[] };
type Document = {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: { SessionId: { examples: [string] }; UserId: { examples: [number] } } };
};

function expectedStatus({ operationId, security }: Operation): number {
  // The demo does not renew sessions.
  if (operationId === 'refreshSession') return 404;
  // The one-time token of the example is none of the service's.
  if (operationId === 'resetPassword' || operationId === 'confirmEmail') return 403;
  // A collection has no token, until a person gives it one.
  return security ? 401 : 200;
}

t.test('collections that are imported from the served contract', async (t) => {
  const service = await start(t, { cwd: t.testdir(), env: { JWT_ISSUER: 'https://login.example.com' } }, ['demo']);
  const contract = await (await fetch(`${service.url}/openapi.json`)).text();
  const { paths, components }: Document = JSON.parse(contract);
  const [sid] = components.schemas.SessionId.examples;
  const [id] = components.schemas.UserId.examples;
  const expected = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, operation]) =>
        `${method.toUpperCase()} ${service.url}${path.replace('{sid}', sid).replace('{id}', `${id}`)} ${expectedStatus(operation)}`,
    ),
  );

  for (const [name, send] of Object.entries(COLLECTIONS)) {
    t.test(name, async (t) => {
      const directory = t.testdir();
      const document = join(directory, 'openapi.json');
      await writeFile(document, contract);
      const sent = await send(t, directory, document);

      const login = sent.find(({ url }) => url === `${service.url}/api/v1/sessions`);
      t.match(login, { method: 'POST', status: 200 });
      t.match(JSON.parse(login?.body ?? '{}'), { auth_token: /^[\w-]+\.[\w-]+\.[\w-]+$/ });
      // The rest of the collection needs no edit either.
      t.same(sent.map(({ method, url, status }) => `${method} ${url} ${status}`).sort(), expected.toSorted());
    });
  }
});
