import type { JsonWebKey } from 'node:crypto';
import { chmod, chown, readFile, stat, writeFile } from 'node:fs/promises';
import { calculateJwkThumbprint } from 'jose';
import t, { type Test } from 'tap';
import { type Options, run } from '../support/executable.js';
import { jwkSet, privateJwks } from '../support/keys.js';
import { CANNOT_MOUNT, mountSmallDisk } from '../support/small-disk.js';

const LONG_AGO = '2020-01-01T00:00:00Z';

function inDirectory(t: Test, options: Partial<Options> = {}) {
  const { cwd = t.testdir() } = options;
  const env = { JWT_KEYS_FILE: 'keys.json', ...options.env };
  return {
    file: `${cwd}/keys.json`,
    keys: (...args: string[]) => run(['keys', ...args], { cwd, env }),
    /** As they are in the file: times in seconds since the epoch. */
    async stored(): Promise<{ added_at: number; retired_at: number }[]> {
      return JSON.parse(await readFile(`${cwd}/keys.json`, 'utf8')).keys;
    },
    async list() {
      const { stdout } = await run(['keys', 'list', '--json'], { cwd, env });
      return stdout
        .trim()
        .split('\n')
        .map((line): { kid: string; alg: string; state: string; next: string; from: string | null } =>
          JSON.parse(line),
        );
    },
  };
}

/** Makes the keys older: as if each step had been taken some seconds earlier. */
async function age(file: string, seconds: number): Promise<void> {
  const { keys } = JSON.parse(await readFile(file, 'utf8'));
  for (const key of keys) {
    key.added_at -= seconds;
    if (key.retired_at !== undefined) key.retired_at -= seconds;
  }
  await writeFile(file, JSON.stringify({ keys }));
}

/** The time that a command has printed, in seconds since the epoch. */
function timeIn(text: string): number {
  const [time = ''] = text.match(/\d{4}-\d\d-\d\dT[\d:]+Z/) ?? [];
  return Date.parse(time) / 1000;
}

t.test('a rotation: each step says when the next one is safe, and refuses before', async (t) => {
  const { file, keys, list, stored } = inDirectory(t, { env: { TOKEN_TTL_SECONDS: '7200' } });
  t.match(await keys('generate'), { code: 0, stdout: /\(ES256\) signs/ });
  t.equal((await stat(file)).mode & 0o777, 0o600);
  const [first] = await list();
  t.match(first, { alg: 'ES256', state: 'signs' });

  const added = await keys('add', '--algorithm', 'EdDSA');
  t.equal(added.code, 0);
  const promotable = timeIn(added.stdout);
  t.equal(promotable, ((await stored())[1]?.added_at ?? 0) + 1_200, 'twice the max-age of getJwks');
  t.equal((await stat(file)).mode & 0o777, 0o600);
  const [, second] = await list();
  t.match(second, { alg: 'EdDSA', state: 'published', next: 'promote' });
  const [old = '', next = ''] = [first?.kid, second?.kid];

  const before = await readFile(file);
  const early = await keys('promote', '--', next);
  t.equal(early.code, 75);
  t.equal(timeIn(early.stderr), promotable, 'the time that was said');
  t.match(await keys('promote', '--published-at', new Date().toISOString(), '--', next), { code: 75 });
  const tooEarly = { code: 64, stderr: /--published-at must not be before \d{4}-/ };
  t.match(await keys('promote', '--published-at', LONG_AGO, '--', next), tooEarly, 'before the key was added');
  t.same(await readFile(file), before, 'nothing has changed');
  await age(file, 2_400);
  t.match(await keys('promote', '--published-at', new Date().toISOString(), '--', next), { code: 75 });
  const promoted = await keys('promote', '--', next);
  t.equal(promoted.code, 0);
  const { retired_at: retiredAt = 0 } = (await stored())[1] ?? {};
  t.equal(timeIn(promoted.stdout), retiredAt + 7_200, 'the lifetime of a token');
  t.ok(promoted.stdout.endsWith(`: sessions-api keys remove -- ${old}\n`), 'the next step');
  t.match(await list(), [
    { kid: next, state: 'signs' },
    { kid: old, state: 'retired', next: 'remove' },
  ]);
  t.match(await keys('promote', '--', next), { code: 0, stdout: /signs already/ });

  t.match(await keys('remove', '--', next), { code: 65, stderr: /signs: promote another key first/ });
  t.match(await keys('remove', '--', old), { code: 75, stderr: /--force does it now/ });
  t.match(await keys('remove', '--published-at', LONG_AGO, '--', old), tooEarly, 'before it was retired');
  await age(file, 7_200);
  t.match(await keys('remove', '--published-at', new Date().toISOString(), '--', old), { code: 75 });
  t.match(await keys('remove', '--', old), { code: 0 });
  t.match(await list(), [{ kid: next, state: 'signs' }]);
});

t.test('a change keeps owner and mode: the service may read the file by its group', async (t) => {
  const { file, keys } = inDirectory(t);
  await keys('generate');
  if (process.getuid?.() === 0) await chown(file, 1000, 1001);
  await chmod(file, 0o640);
  const before = await stat(file);
  t.match(await keys('add'), { code: 0 });
  const { uid, gid, mode } = await stat(file);
  t.same({ uid, gid, mode }, { uid: before.uid, gid: before.gid, mode: before.mode });
});

t.test('a key is kept until the last token expires that it may have signed', async (t) => {
  const cwd = t.testdir();
  const at = (TOKEN_TTL_SECONDS: string) => inDirectory(t, { cwd, env: { TOKEN_TTL_SECONDS } });
  await at('86400').keys('generate');
  await at('300').keys('add');
  const [, next] = await at('300').list();
  await age(at('300').file, 2_400);
  const { stdout } = await at('300').keys('promote', '--', next?.kid ?? '');
  const [, retired] = await at('300').stored();
  t.equal(timeIn(stdout), (retired?.retired_at ?? 0) + 86_400, 'of the lifetime when it was generated');
});

t.test('a kid that begins with -', async (t) => {
  const { file, keys, list } = inDirectory(t);
  let others: JsonWebKey[] = [];
  do others = privateJwks('ES256');
  while (!(await calculateJwkThumbprint(others[0] ?? {})).startsWith('-'));
  await writeFile(file, jwkSet([...privateJwks('ES256'), ...others]));
  const [, other] = await list();
  t.match(await keys('promote', '--published-at', LONG_AGO, '--', other?.kid ?? ''), { code: 0 });
  t.match(await list(), [{ kid: other?.kid, state: 'signs' }, { state: 'retired' }]);
});

t.test('a key that leaked', async (t) => {
  const { keys, list } = inDirectory(t);
  await keys('generate');
  await keys('add', '--algorithm', 'RS256');
  const [leaked, next] = await list();
  t.match(await keys('promote', '--force', '--', next?.kid ?? ''), { code: 0 });
  t.match(await keys('remove', '--force', '--', leaked?.kid ?? ''), { code: 0 });
  t.match(await list(), [{ kid: next?.kid, alg: 'RS256', state: 'signs' }]);
});

t.test('a key that never signed goes at once', async (t) => {
  const { keys, list } = inDirectory(t);
  await keys('generate');
  await keys('add');
  const [, added] = await list();
  t.match(await keys('remove', '--', added?.kid ?? ''), { code: 0 });
});

t.test('keys of another tool: nobody knows when they were published', async (t) => {
  const { file, keys, list } = inDirectory(t);
  await writeFile(file, jwkSet(privateJwks('ES256', 'EdDSA')));
  const [, other] = await list();
  for (const verb of ['promote', 'remove']) {
    t.match(await keys(verb, '--', other?.kid ?? ''), { code: 75, stderr: /--published-at/ });
  }
  t.match(await keys('promote', '--published-at', LONG_AGO, '--', other?.kid ?? ''), { code: 0 });
});

t.test('commands at once: none loses the change of another', async (t) => {
  const { keys, list } = inDirectory(t);
  await keys('generate');
  const added = await Promise.all([1, 2, 3, 4].map(() => keys('add', '--algorithm', 'RS256')));
  const codes = added.map(({ code }) => code);
  t.ok(codes.every((code) => code === 0 || code === 75));
  t.equal((await list()).length, 1 + codes.filter((code) => code === 0).length);
});

t.test('what can’t be done changes nothing', async (t) => {
  const { file, keys } = inDirectory(t);
  t.match(await keys('list'), { code: 78, stderr: /JWT_KEYS_FILE must name a file that can be read: ENOENT/ });
  await keys('generate');
  const before = await readFile(file);
  t.match(await keys('generate'), { code: 73, stderr: /exists/ });
  t.match(await keys('promote', 'x'), { code: 65, stderr: /there is no key x/ });
  t.match(await keys('promote', 'x', '--published-at', 'yesterday'), { code: 64, stderr: /must be a time/ });
  t.match(await keys('add', '--algorithm', 'none'), { code: 64, stderr: /ES256, EdDSA, RS256/ });
  await writeFile(`${file}.next`, '');
  t.match(await keys('add'), { code: 75, stderr: /keys\.json\.next exists: another command/ });
  t.same(await readFile(file), before);
  t.match(await inDirectory(t, { env: { JWT_KEYS_FILE: '' } }).keys('list'), { code: 78, stderr: /must be set/ });
});

t.test('a file that no service would read is not written', async (t) => {
  const { file, keys, list } = inDirectory(t);
  const [key = {}] = privateJwks('ES256');
  await writeFile(file, jwkSet([{ ...key, note: 'x'.repeat(65_000) }]));
  const before = await readFile(file);
  t.match(await keys('add'), { code: 65, stderr: /more than 65536 bytes/ });
  t.same(await readFile(file), before);
  t.equal((await list()).length, 1);
  await t.rejects(stat(`${file}.next`), { code: 'ENOENT' });
});

t.test('a file that can’t be written is one line', async (t) => {
  const missing = await inDirectory(t, { env: { JWT_KEYS_FILE: 'missing/keys.json' } }).keys('generate');
  t.match(missing, { code: 73, stderr: /^sessions-api: missing\/keys\.json can’t be written: ENOENT.*\n$/ });
  const disk = await mountSmallDisk(t, 1);
  if (!disk) return t.pass(CANNOT_MOUNT);
  const { file, keys } = inDirectory(t, { cwd: disk.directory });
  await keys('generate');
  const before = await readFile(file);
  await disk.leave(0);
  t.match(await keys('add'), { code: 74, stderr: /^sessions-api: .*keys\.json\.next can’t be written: ENOSPC.*\n$/ });
  t.same(await readFile(file), before);
  await disk.relieve();
  t.match(await keys('add'), { code: 0 }, 'and nothing is in the way');
});
