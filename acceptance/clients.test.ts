/** docs/clients.md, command by command: clients in other languages, made from the served contract, that log in. */
import { spawnSync } from 'node:child_process';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { command } from '../test/support/command.js';
import { start } from '../test/support/executable.js';
import { CHEAP, login as logIn } from '../test/support/steady-logins.js';

const CLIENTS = fileURLToPath(new URL('../clients/', import.meta.url));
const DOCUMENTED = 'http://127.0.0.1:3000';
const CREDENTIALS = { EMAIL: 'foo@bar.com', PASSWORD: 'foobar' };
const NEW_PASSWORD = 'correct horse battery';

/** Renewal is on, and an email that has failed ten times waits for hours. */
const ENV = {
  ...CHEAP,
  LOG_LEVEL: 'info',
  TOKEN_TTL_SECONDS: '300',
  REFRESH_TOKEN_TTL_SECONDS: '600',
  THROTTLE_EMAIL_ADDRESS: '0',
  THROTTLE_EMAIL: '10',
};

/** By language: what else finds faults in a sample. */
const CHECKS: { [language: string]: string } = {
  go: 'test -z "$(gofmt -l *.go)" && go vet .',
  php: 'php -l login.php',
  python: '.venv/bin/pip install --quiet mypy==2.4.1 && .venv/bin/mypy --strict login.py',
  ruby: 'test "$(ruby -wc login.rb 2>&1)" = "Syntax OK"',
  rust: 'cargo fmt --check --package login && cargo clippy --locked -- -D warnings',
};

/** By language: finds what the client or its check needs, and the commands do not install. */
const NEEDED: { [language: string]: string } = {
  php: `php -r 'require "GuzzleHttp/autoload.php";'`,
  ruby: `ruby -r typhoeus -e ''`,
  rust: 'cargo clippy --version',
};

const guide = await readFile(new URL('../docs/clients.md', import.meta.url), 'utf8');

/** A section of the guide: what makes the client, and what runs the sample. */
type Section = { language: string; generator: string; commands: string; run: string };

function readSections(): Section[] {
  return guide.split(/^## /m).flatMap((section) => {
    const [, language = '', generator = ''] = section.match(/^(\w+): (\S+)\n/) ?? [];
    const [, commands = ''] = section.match(/^```sh\n(.*?)^```$/ms) ?? [];
    const [, run = ''] = section.match(/^`EMAIL=\S+ PASSWORD=\S+ (.+)` logs in\./m) ?? [];
    return language ? [{ language: language.toLowerCase(), generator, commands, run }] : [];
  });
}

/** What a section needs and this machine lacks. */
function missing({ language, commands }: Section): string | false {
  const tools = [...commands.matchAll(/^(python3|go|mvn|cargo|curl|composer)\b/gm)].map(([, name = '']) => name);
  if (commands.includes('openapi-generator-cli')) tools.push('java');
  const needed = tools.map((name) => `command -v ${name}`).concat(NEEDED[language] ?? []);
  const lacking = needed.find((found) => spawnSync('bash', ['-c', found]).status !== 0);
  return lacking !== undefined && `not run here: ${lacking} fails`;
}

/** Fails until the service refuses further logins of an email. */
async function lockOut(url: string, email: string): Promise<void> {
  while ((await logIn(url, 'toets', email)).status !== 429);
}

t.setTimeout(1_500_000);

t.test('clients that are made as docs/clients.md says', async (t) => {
  const service = await start(t, { cwd: t.testdir(), env: ENV }, ['demo']);
  await service.written('the admin token is');
  const [, adminToken = ''] = service.output().match(/the admin token is (\S+)/) ?? [];
  const renewals = () => service.output().split('"operationId":"refreshSession"').length - 1;
  await lockOut(service.url, 'locked@bar.com');
  const sections = readSections();
  t.equal(sections.length, 10);

  for (const section of sections) {
    const { language, generator, commands, run } = section;
    t.test(`${language}: ${generator}`, { skip: missing(section) }, async (t) => {
      const scratch = t.testdir();
      await cp(join(CLIENTS, language), scratch, { recursive: true });
      const cwd = join(scratch, generator);
      for (const source of await readdir(cwd, { recursive: true, withFileTypes: true })) {
        if (!source.isFile()) continue;
        const path = join(source.parentPath, source.name);
        const text = await readFile(path, 'utf8');
        if (text.includes(DOCUMENTED)) await writeFile(path, text.replaceAll(DOCUMENTED, service.url));
      }
      const made = await command(cwd, 'bash', '-ec', commands.replaceAll(DOCUMENTED, service.url));
      t.equal(made.code, 0, 'is made and compiled', { output: made.output });

      const check = await command(cwd, 'bash', '-ec', CHECKS[language] ?? '');
      t.equal(check.code, 0, 'has no fault', { output: check.output });

      const { PATH, HOME } = process.env;
      const login = (env: { EMAIL?: string; PASSWORD?: string; ADMIN_TOKEN?: string }) =>
        command({ cwd, env: { PATH, HOME, LC_ALL: 'C.UTF-8', ...CREDENTIALS, ...env } }, 'bash', '-c', run);
      const before = renewals();
      const right = await login({});
      t.match(right, { code: 0, output: /^token [\w-]+\.[\w-]+\.[\w-]+\nsessions \d+\n$/ }, 'a right password');
      t.equal(renewals(), before + 1, 'renews the session');
      const creation = { EMAIL: `${language}@${generator}.com`, PASSWORD: NEW_PASSWORD };
      const created = await login({ ...creation, ADMIN_TOKEN: adminToken });
      t.match(created, { code: 0, output: /^user \d+\ntoken \S+\nsessions 1\n$/ }, 'a new user');
      const refused = await login({ ...creation, ADMIN_TOKEN: 'wrong' });
      t.match(refused, { code: 1, output: /Unauthorized/ }, 'a wrong admin token');
      const wrong = await login({ PASSWORD: 'p&=+% ä🔑' });
      t.match(wrong, { code: 1, output: /^401 Invalid credentials\n/ }, 'a wrong password');
      const malformed = await login({ EMAIL: 'foobar.com' });
      t.match(malformed, { code: 1, output: /email.*must|must.*email/i }, 'a malformed email');
      const locked = await login({ EMAIL: 'locked@bar.com' });
      t.match(locked, { code: 1, output: /^429, try again after \d+ s\n/ }, 'a lockout');
    });
  }
});
