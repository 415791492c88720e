import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { command } from '../test/support/command.js';

const root = fileURLToPath(new URL('../', import.meta.url));
const BIOME = `${root}scripts/biome/node_modules/@biomejs/biome/bin/biome`;

const RESTRICTED = 'lint/style/noRestrictedImports';

const refused: [what: string, file: string, line: string, rule: string][] = [
  ['to the left', 'database/users.ts', "import { logIn } from '../users/log-in.js';", RESTRICTED],
  [
    'of a type to the left',
    'database/users.ts',
    "import type { Throttle } from '../throttle/throttle.js';",
    RESTRICTED,
  ],
  ['of a sibling', 'throttle/keys.ts', "import type { HashQueue } from '../passwords/hash-queue.js';", RESTRICTED],
  [
    'of the configuration by a concern',
    'tokens/tokens.ts',
    "import type { Config } from '../config/config.js';",
    RESTRICTED,
  ],
  [
    'of the handlers by anything but app',
    'services.ts',
    "import { handlers } from './generated/handlers.js';",
    RESTRICTED,
  ],
  [
    'by the leaf that has no leaf but text below it',
    'files/private-file.ts',
    "import '../errors/exit-codes.js';",
    RESTRICTED,
  ],
  ['by a leaf', 'text/utf8.ts', "import { HttpError } from '../errors/http-error.js';", RESTRICTED],
  ['from a folder in a folder', 'passwords/formats/scrypt.ts', "import '../../http/routes.js';", RESTRICTED],
  [
    'in a circle, of a type',
    'throttle/rules.ts',
    "import type { Throttle } from './throttle.js';",
    'lint/suspicious/noImportCycles',
  ],
];

/** Lints a copy of src/ with one line more, outside of git. */
async function lintWith(t: Test, file: string, line: string) {
  const directory = await mkdtemp(`${tmpdir()}/import-direction-`);
  t.teardown(() => rm(directory, { recursive: true }));
  await cp(`${root}src`, `${directory}/src`, { recursive: true });
  const config = JSON.parse(await readFile(`${root}biome.json`, 'utf8'));
  await writeFile(`${directory}/biome.json`, JSON.stringify({ ...config, vcs: { enabled: false } }));
  const path = `${directory}/src/${file}`;
  await writeFile(path, `${line}\n${await readFile(path, 'utf8')}`);
  return command(directory, process.execPath, BIOME, 'lint', '--error-on-warnings', '--max-diagnostics=none', 'src');
}

t.test('imports go one way', async (t) => {
  t.match(await lintWith(t, 'text/email.ts', ''), { code: 0 });
});

for (const [what, file, line, rule] of refused) {
  t.test(`refuses an import ${what}`, async (t) => {
    const { code, output } = await lintWith(t, file, line);
    t.not(code, 0);
    t.match(output, rule);
  });
}
