/** kill -9 amid the rows of an import: the next one completes it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { MAIN, run } from '../test/support/executable.js';
import { createDatabase, query } from '../test/support/service.js';

/** The line of the change, where there was one, and no other. */
const IMPORTED = /^(\{.*"event":"users_imported".*\}\n)?$/;
const KILLS = 4;
/** Rows of an import: four batches. */
const ROWS = 16_000;
const COUNT = 'SELECT count(*) FROM users';
const DIGEST = '$2b$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';

t.setTimeout(1_200_000);

for (const provider of PROVIDERS) {
  t.test(`${KILLS} kills of an import on ${provider}`, async (t) => {
    const lines = Array.from({ length: ROWS }, (_, i) => {
      const id = i < ROWS / 2 ? i * 2 + 100 : undefined;
      return JSON.stringify({ id, email: `${i}@bar.com`, password_digest: DIGEST, created_at: '2020-01-01 00:00:00' });
    });
    let undisturbed: unknown[][] = [];
    let amid = 0;
    for (let kill = 0; kill <= KILLS; kill += 1) {
      await t.test(`kill ${kill}`, async (t) => {
        const env = { PATH: process.env.PATH, DATABASE_URL: await createDatabase(t, provider) };
        // After it: SQLite's database is in the same directory, which is emptied.
        const cwd = t.testdir({ 'users.jsonl': lines.join('\n') });
        const command = ['users', 'import', 'users.jsonl', '--json'];
        await run(['migrate'], { cwd, env });
        const { databaseUrl } = readConfig(env, { issuesTokens: false });
        const killed = spawn(process.execPath, [MAIN, ...command], { cwd, env, stdio: 'ignore' });
        const exited = once(killed, 'exit');
        // The first one is left to end.
        if (kill > 0) {
          // In each quarter once.
          const some = Math.floor(((kill - Math.random()) / KILLS) * ROWS * 0.8);
          while (killed.exitCode === null && Number((await query(databaseUrl, COUNT))[0]?.[0]) <= some);
          killed.kill('SIGKILL');
        }
        await exited;

        const next = await run(command, { cwd, env });
        t.match(next, { code: 0, stderr: IMPORTED });
        const { added, unchanged } = JSON.parse(next.stdout);
        t.equal(added + unchanged, ROWS);
        if (unchanged > 0 && added > 0) amid += 1;
        const stored = await query(databaseUrl, 'SELECT id, email, password_digest FROM users ORDER BY id');
        t.equal(stored.length, ROWS);
        if (kill === 0) undisturbed = stored;
        t.ok(isDeepStrictEqual(stored, undisturbed), 'all is as it is undisturbed');
        if (provider === 'sqlite') t.same(await query(databaseUrl, 'PRAGMA integrity_check'), [['ok']]);
      });
    }
    t.ok(amid > 1, `${amid} were killed amid their rows`);
  });
}
