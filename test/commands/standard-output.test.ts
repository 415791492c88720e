/** Whether what a command prints has arrived. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { MAIN, run } from '../support/executable.js';
import { CANNOT_MOUNT, mountSmallDisk } from '../support/small-disk.js';

const DIGEST = '$2b$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';
/** A change is logged before its result is printed. */
const FULL = /^(\{"level":30,[^\n]*\}\n)?sessions-api: standard output can’t be written to: ENOSPC[^\n]*\n$/;
const FULL_AS_JSON =
  /^\{"message":"standard output can’t be written to: ENOSPC[^\n]*","code":"ioerr","exit_code":74\}\n$/;

const rows = Array.from({ length: 3_000 }, (_, i) => JSON.stringify({ email: `${i}@x`, password_digest: DIGEST }));
const cwd = t.testdir({ 'users.jsonl': rows.join('\n') });
const imported = await run(['users', 'import', 'users.jsonl'], { cwd });
t.equal(imported.code, 0);

/** Runs a command whose standard output is a file. */
async function printTo(path: string, args: string[]): Promise<{ code: number; stderr: string }> {
  const output = openSync(path, 'w');
  const child = spawn(process.execPath, [MAIN, ...args], { cwd, stdio: ['ignore', output, 'pipe'] });
  closeSync(output);
  if (!child.stderr) throw new Error('no pipe');
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return { code, stderr };
}

t.test('a full device', async (t) => {
  const page = ['list --after 2950', 'list --after 2950 --json'];
  const verbs = [...page, 'stats', 'export', 'show 1 --json', 'disable 1', 'delete 1 --yes', 'import users.jsonl'];
  for (const verb of verbs) {
    const stderr = verb.endsWith('--json') ? FULL_AS_JSON : FULL;
    t.match(await printTo('/dev/full', ['users', ...verb.split(' ')]), { code: 74, stderr }, verb);
  }
  t.match(await printTo('/dev/full', ['migrate']), { code: 74, stderr: FULL }, 'migrate');
});

t.test('a full disk cuts a file off', async (t) => {
  const disk = await mountSmallDisk(t, 1);
  if (!disk) return t.pass('a full disk', { skip: CANNOT_MOUNT });
  const file = `${disk.directory}/users.jsonl`;
  t.match(await printTo(file, ['users', 'export']), { code: 0, stderr: '' });
  const { size } = await stat(file);
  await rm(file);
  // Less than the last write has.
  await disk.leave(size - 4_096);
  t.match(await printTo(file, ['users', 'export']), { code: 74, stderr: FULL });
  t.ok((await stat(file)).size < size);
});

t.test('a pipe that nobody reads', async (t) => {
  for (const args of [['list', '--after', '2950'], ['stats'], ['export'], ['show', '2', '--json']]) {
    const child = spawn(process.execPath, [MAIN, 'users', ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.destroy();
    const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    t.same({ code, stderr }, { code: 0, stderr: '' }, args.join(' '));
  }
});
