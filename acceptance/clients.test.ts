/** docs/clients.md, command by command: clients in other languages, made from the served contract, that log in. */
import { spawnSync } from 'node:child_process';
import { cp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { command } from '../test/support/command.js';
import { start } from '../test/support/executable.js';

const CLIENTS = fileURLToPath(new URL('../clients/', import.meta.url));
const DOCUMENTED = 'http://127.0.0.1:3000';
const MAX_LINES = 20;

const guide = await readFile(new URL('../docs/clients.md', import.meta.url), 'utf8');

/** A section of the guide: what makes the client, what runs it, and the sample that it shows. */
type Section = { language: string; generator: string; commands: string; run: string; file: string; sample: string };

function readSections(): Section[] {
  return guide.split(/^## /m).flatMap((section) => {
    const [, language = '', generator = ''] = section.match(/^(\w+): (\S+)\n/) ?? [];
    const [, commands = ''] = section.match(/^```sh\n(.*?)^```$/ms) ?? [];
    const [, run = '', file = ''] = section.match(/^`EMAIL=\S+ PASSWORD=\S+ (.+)` logs in\. .*\(\.\.\/(.+)\):$/m) ?? [];
    const [, sample = ''] = section.slice(section.indexOf(run)).match(/^```\w+\n(.*?)^```$/ms) ?? [];
    return language ? [{ language: language.toLowerCase(), generator, commands, run, file, sample }] : [];
  });
}

/** The toolchain that the commands need and this machine lacks. */
function missing({ commands }: Section): string | false {
  const needed = [...commands.matchAll(/^(python3|go|mvn|cargo|curl)\b/gm)].map(([, name = '']) => name);
  if (commands.includes('openapi-generator-cli')) needed.push('java');
  const lacking = needed.find((name) => spawnSync('bash', ['-c', `command -v ${name}`]).status !== 0);
  return lacking !== undefined && `not run here: no ${lacking}`;
}

t.setTimeout(1_500_000);

t.test('clients that are made as docs/clients.md says', async (t) => {
  const service = await start(t, { cwd: t.testdir() }, ['demo']);
  const sections = readSections();
  t.equal(sections.length, 7);

  for (const section of sections) {
    const { language, generator, commands, run, file, sample } = section;
    t.test(`${language}: ${generator}`, { skip: missing(section) }, async (t) => {
      t.equal(sample, await readFile(join(CLIENTS, '..', file), 'utf8'), 'the guide shows the sample that is run');
      t.ok(sample.trimEnd().split('\n').length <= MAX_LINES, `in at most ${MAX_LINES} lines`);

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

      const { PATH, HOME } = process.env;
      const login = (EMAIL: string, PASSWORD: string) =>
        command({ cwd, env: { PATH, HOME, EMAIL, PASSWORD, LC_ALL: 'C.UTF-8' } }, 'bash', '-c', run);
      const right = await login('foo@bar.com', 'foobar');
      t.match(right, { code: 0, output: /^[\w-]+\.[\w-]+\.[\w-]+\n$/ }, 'a right password');
      const wrong = await login('foo@bar.com', 'p&=+% ä🔑');
      t.match(wrong, { code: 1, output: /401|InvalidCredentials/ }, 'a wrong password');
      t.match(wrong.output, /Invalid credentials/);
      const malformed = await login('foobar.com', 'foobar');
      t.match(malformed, { code: 1, output: /email.*must|must.*email/i }, 'a malformed email');
    });
  }
});
