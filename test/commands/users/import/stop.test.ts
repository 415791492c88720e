import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { MAIN, run } from '../../../support/executable.js';
import { createDatabase, query } from '../../../support/service.js';

const BCRYPT = '$2a$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';
const BATCH = 4_000;

const lineOf = (row: object) => `${JSON.stringify({ password_digest: BCRYPT, ...row })}\n`;
const batch = Array.from({ length: BATCH }, (_, i) => lineOf({ email: `${i}@bar.com` })).join('');

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  t.test(`${signal} says how far the import came, and the next one goes on`, async (t) => {
    const cwd = t.testdir();
    const child = spawn(process.execPath, [MAIN, 'users', 'import', '-'], { cwd, env: { PATH: process.env.PATH } });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
      // Read after the batch has been stored. Standard input stays open.
      if (stderr.includes('line 4001: ') && !child.killed) child.kill(signal);
    });
    child.stdin.write(`${batch}${lineOf({ email: 'rejected' })}`);
    const [exitCode] = await once(child, 'close');
    t.equal(exitCode, code);
    t.match(
      stderr,
      `sessions-api: stopped by ${signal} after 4,001 rows: 4,000 added, 0 updated, 0 unchanged, 1 rejected; run the same command`,
    );
    t.match(await readFile(`${cwd}/stdin.rejected.jsonl`, 'utf8'), '"line":4001');
    const { stdout } = await run(['users', 'import', '-'], { cwd, input: `${batch}${lineOf({ email: 'a@bar.com' })}` });
    t.equal(stdout, '1 added, 0 updated, 4,000 unchanged, 0 rejected\n');
  });
}

for (const provider of PROVIDERS) {
  t.test(`a dry run creates no database on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider) };
    const input = [{ email: 'a@bar.com' }, { email: 'a@bar.com' }, { email: 'rejected' }].map(lineOf).join('');
    const imports = (...args: string[]) => run(['users', 'import', '-', ...args], { cwd: t.testdirName, env, input });
    const before = readdirSync(cwd);
    const { code, stdout } = await imports('--dry-run');
    t.equal(code, 65);
    t.equal(stdout, 'dry run, nothing stored: 1 added, 0 updated, 1 unchanged, 1 rejected: see stdin.rejected.jsonl\n');
    t.same(
      readdirSync(cwd).filter((name) => name !== 'stdin.rejected.jsonl'),
      before,
    );
    if (provider === 'postgresql') {
      const tables = await query(
        { provider, href: env.DATABASE_URL },
        'SELECT tablename FROM pg_tables WHERE schemaname = current_schema()',
      );
      t.same(tables, []);
    }
    t.match((await imports()).stdout, /^1 added, 0 updated, 1 unchanged, 1 rejected/, 'as the import itself does');
  });
}

t.test('rejected rows are corrected and imported again', async (t) => {
  const cwd = t.testdir({
    'users.csv': [
      'id,email,encrypted_password,disabled_at,created_at,note',
      `1,first@bar.com,${BCRYPT},,2020-01-02 03:04:05,a note`,
      `2,second bar.com,${BCRYPT},2021-01-01 00:00:00,2020-01-02 03:04:05,a note`,
      `3,third@bar.com,in the clear,,,a note`,
      `4,first@bar.com,${BCRYPT},2021-01-01 00:00:00,2020-01-02 03:04:05,a note`,
    ].join('\n'),
  });
  t.match(await run(['users', 'import', 'users.csv'], { cwd }), { code: 65, stdout: /1 added, .* 3 rejected/ });
  const file = `${cwd}/users.csv.rejected.jsonl`;
  const rejected = await readFile(file, 'utf8');
  t.notMatch(rejected, /in the clear|a note/, 'a password, and what is not imported, are not in it');
  const corrected = rejected.replace('second bar.com', 'second@bar.com').replace('first@bar.com', 'fourth@bar.com');
  await writeFile(file, corrected);
  const again = await run(['users', 'import', 'users.csv.rejected.jsonl'], { cwd });
  t.match(again, { code: 65, stdout: /^2 added, .* 1 rejected/ });
  const { stdout } = await run(['users', 'export'], { cwd });
  const users = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const stored = {
    password_digest: BCRYPT,
    disabled_at: '2021-01-01T00:00:00.000Z',
    created_at: '2020-01-02T03:04:05.000Z',
  };
  t.match(users, [
    { id: 1 },
    { id: 2, email: 'second@bar.com', ...stored },
    { id: 4, email: 'fourth@bar.com', ...stored },
  ]);

  const input = '{}\n';
  await run(['users', 'import', '-'], { cwd, input });
  t.equal(await readFile(`${cwd}/stdin.rejected.jsonl`, 'utf8').then((text) => JSON.parse(text).line), 1);
});
