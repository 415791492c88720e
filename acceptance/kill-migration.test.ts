/** kill -9 at random moments, spread over a migration: the next start completes it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { readMigrations } from '#built/database/migrations/migrations.js';
import { MAIN, run } from '../test/support/executable.js';
import { createDatabase } from '../test/support/service.js';

const KILLS = 8;

t.setTimeout(1_200_000);

for (const provider of PROVIDERS) {
  t.test(`${KILLS} kills of a migration on ${provider}`, async (t) => {
    const migrations = readMigrations(provider).map(({ name }) => name);
    const applied = (stdout: string) => stdout.match(/(?<=applied )\w+/g) ?? [];
    const completed: number[] = [];
    let takes = 0;
    for (let kill = 0; kill <= KILLS; kill += 1) {
      await t.test(`kill ${kill}`, async (t) => {
        const cwd = t.testdir();
        const env = { PATH: process.env.PATH, DATABASE_URL: await createDatabase(t, provider) };
        // The first one is left to end, to know how long it takes.
        const begun = performance.now();
        const killed = spawn(process.execPath, [MAIN, 'migrate'], { cwd, env });
        const printed = text(killed.stdout);
        const share = (kill - Math.random()) / KILLS;
        if (kill > 0) setTimeout(() => killed.kill('SIGKILL'), takes * (0.4 + 0.6 * share));
        await once(killed, 'exit');
        takes ||= performance.now() - begun;
        const begunAgain = performance.now();
        const next = await run(['migrate'], { cwd, env });
        t.match(next, { code: 0, stderr: '' });
        const rest = applied(next.stdout);
        // Anew, since the machine may do more, or less, than before.
        if (rest.length === migrations.length) takes = performance.now() - begunAgain;
        t.same(migrations.slice(migrations.length - rest.length), rest, 'what is pending is applied, in order');
        if (applied(await printed).length > 0) t.same(rest, [], 'what was reported is there');
        t.match(await run(['users', 'list'], { cwd, env }), { code: 0 });
        completed.push(rest.length);
      });
    }
    t.ok(completed.includes(migrations.length), 'some were killed before the first migration');
  });
}
