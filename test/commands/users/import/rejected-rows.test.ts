/** Rows that a database can't store, and files that can't be read or written: the rest goes in, and no stack is shown. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { MAIN, run } from '../../../support/executable.js';
import { createDatabase } from '../../../support/service.js';
import { CANNOT_MOUNT, mountSmallDisk } from '../../../support/small-disk.js';

const BCRYPT = '$2a$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';
const MAX_ID = 2_147_483_647;

const lineOf = (row: object) => `${JSON.stringify({ password_digest: BCRYPT, ...row })}\n`;

for (const provider of PROVIDERS) {
  t.test(`rows that ${provider} can’t store`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider) };
    const rows = [
      { id: 1, email: 'first@x' },
      { email: '\ud800@x' },
      { email: '\ufffd@x' },
      { email: 'a@x', created_at: '0000-01-01 00:00:00' },
      { email: 'b@x', disabled_at: '0000-00-00 00:00:00' },
      { email: 'c@x', created_at: '9999-12-31 23:59:59-01:00' },
      { id: MAX_ID + 1, email: 'd@x' },
      { id: MAX_ID, email: 'last@x' },
      { email: 'no-id-left@x' },
    ];
    const imported = await run(['users', 'import', '-', '--json'], {
      cwd,
      env,
      input: rows.map(lineOf).join(''),
    });
    t.equal(imported.code, 65);
    t.match(JSON.parse(imported.stdout), { added: 2, rejected: 7, rejected_file: 'stdin.rejected.jsonl' });
    const rejected = await readFile(`${cwd}/stdin.rejected.jsonl`, 'utf8');
    const NOT_A_TIME = 'must be a time, such as 2026-01-31T12:00:00Z';
    t.match(
      rejected
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [
        { line: 2, reason: 'email is not valid UTF-8' },
        { line: 3, reason: 'email is not valid UTF-8' },
        { line: 4, reason: `created_at ${NOT_A_TIME}` },
        { line: 5, reason: `disabled_at ${NOT_A_TIME}` },
        { line: 6, reason: `created_at ${NOT_A_TIME}` },
        { line: 7, reason: `id must be a whole number from 1 to ${MAX_ID}` },
        { line: 9, reason: `no id is left: the largest is ${MAX_ID}` },
      ],
    );
    const add = await run(['users', 'add', 'next@x'], { cwd, env, input: 'correct horse' });
    t.not(add.code, 0);
    t.match(add.stderr, provider === 'sqlite' ? 'No id is left' : 'reached maximum value');
    t.match(await run(['users', 'list'], { cwd, env }), { stdout: /first@x\n.*last@x\n$/ });
  });
}

t.test('files that can’t be read or written', async (t) => {
  const cwd = t.testdir({
    directory: {},
    'users.jsonl': `${lineOf({ email: 'a@x' })}${lineOf({ email: 'rejected' })}`,
  });
  const imports = (...args: string[]) => run(['users', 'import', ...args], { cwd });
  t.match(await imports('missing.csv'), {
    code: 66,
    stderr: /^sessions-api: missing\.csv can’t be read: ENOENT[^\n]*\n$/,
  });
  t.match(await imports('directory'), {
    code: 66,
    stderr: 'sessions-api: directory can’t be read: it is a directory\n',
  });

  const substituted = promisify(execFile)(
    'bash',
    ['-c', `"$0" "$1" users import <(cat users.jsonl)`, process.execPath, MAIN],
    { cwd },
  );
  await t.rejects(substituted, {
    code: 65,
    stdout: /see stdin\.rejected\.jsonl\n$/,
    stderr: /^line 2: email must look like/m,
  });
  t.match(await readFile(`${cwd}/stdin.rejected.jsonl`, 'utf8'), '"email":"rejected"');
});

t.test('the rejected rows do not fit on the disk', async (t) => {
  const disk = await mountSmallDisk(t, 1);
  if (!disk) return t.pass('a full disk', { skip: CANNOT_MOUNT });
  const env = { DATABASE_URL: `file:${t.testdir()}/sessions.db` };
  await disk.leave(0);
  const input = lineOf({ email: 'a@x' }) + lineOf({ email: 'rejected' });
  const first = await run(['users', 'import', '-'], { cwd: disk.directory, env, input });
  t.match(first, { code: 74, stdout: '' });
  t.match(
    first.stderr,
    /\nsessions-api: stdin\.rejected\.jsonl, with the rejected rows, can’t be written: ENOSPC[^\n]*\n$/,
  );
  await disk.relieve();
  t.match(await run(['users', 'import', '-'], { cwd: disk.directory, env, input }), {
    code: 65,
    stdout: /^0 added, 0 updated, 1 unchanged, 1 rej/,
  });
});
