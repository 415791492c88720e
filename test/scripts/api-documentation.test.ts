import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import t from 'tap';
import { startService } from '../support/service.js';

t.test('docs/api.md: its curl commands are answered as it says', async (t) => {
  // When the examples were recorded: their token has not expired.
  const service = await startService(t, 'sqlite', { now: () => 1_575_397_455_999 });
  await service.addUser('foo@bar.com', 'foobar');
  const { host } = new URL(service.url);

  const documentation = await readFile(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const [, ...examples] = documentation.split(/^## /m);
  t.ok(examples.length > 3);
  for (const example of examples) {
    const [, command = ''] = example.match(/^```shell\n(.*?)\n```$/ms) ?? [];
    const [, status = '', body = ''] = example.match(/^(\d{3}) [^\n]*\n```(?:\n+```json\n(.*?)\n```$)?/ms) ?? [];
    const here = command.replace('curl ', `curl --connect-to example.org:80:${host} --write-out '\\n%{http_code}' `);
    const { stdout } = await promisify(execFile)('sh', ['-c', here]);
    const [answer = '', code] = stdout.split('\n');
    t.equal(code, status, command);
    const token = /"auth_token":\s*"[\w-]+\.[\w-]+\.[\w-]+"/;
    const withoutToken = (text: string) => JSON.parse(text.replace(token, '"auth_token":""') || 'null');
    t.same(withoutToken(answer), withoutToken(body));
  }
});
