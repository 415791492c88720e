/** A version without sessions as rows, and this one, on one database under logins: upgraded, side by side, and rolled back. */
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { command } from '../test/support/command.js';
import { type Running, run, start, stop } from '../test/support/executable.js';
import { bearer } from '../test/support/keys.js';
import { send } from '../test/support/send.js';
import { createDatabase, SECRET, UNTHROTTLED } from '../test/support/service.js';
import { CHEAP, getToken, keepLoggingIn } from '../test/support/steady-logins.js';

/** The last one whose migrations do not make the table of sessions. The packages of this version build it. */
const OLD_REVISION = 'e83b336b4cb18692e90d1db6348e29bcd462e57b';
const USERS = Number(process.env.UPGRADE_USERS ?? 5_000);
const DIGEST = '$2b$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';

t.setTimeout(1_200_000);

const repository = fileURLToPath(new URL('../', import.meta.url));
const directory = await mkdtemp(`${tmpdir()}/sessions-api-old-`);
t.teardown(() => rm(directory, { recursive: true }));
const isThere = await command(repository, 'git', 'cat-file', '-e', OLD_REVISION);
const skip = isThere.code !== 0 && 'a clone without the history';

t.test('the old version is built', { skip }, async (t) => {
  const extract = `git archive ${OLD_REVISION} | tar -x -C ${directory}`;
  t.match(await command(repository, 'bash', '-o', 'pipefail', '-c', extract), { code: 0 });
  await symlink(`${repository}node_modules`, `${directory}/node_modules`);
  t.match(await command(directory, 'npm', 'run', 'build'), { code: 0 });
});

for (const provider of PROVIDERS) {
  t.test(`${USERS} users on ${provider}`, { skip }, async (t) => {
    const DATABASE_URL = await createDatabase(t, provider);
    const users = Array.from({ length: USERS }, (_, i) =>
      JSON.stringify({ email: `${i}@bar.com`, password_digest: DIGEST }),
    );
    // After it: SQLite's database is in the same directory, which is emptied.
    const cwd = t.testdir({ 'users.jsonl': users.join('\n') });
    const byNew = { cwd, env: { DATABASE_URL, JWT_SECRET: SECRET, ...CHEAP, ...UNTHROTTLED } };
    const byOld = { ...byNew, main: `${directory}/dist/main.js` };
    await run(['users', 'add', 'foo@bar.com'], { ...byOld, input: 'foobar\n' });
    t.match(await run(['users', 'import', 'users.jsonl'], byOld), { code: 0 });

    const old = await start(t, byOld);
    const atOld = keepLoggingIn(old.url, { clients: 2, pause: 5 });
    await atOld.more(50);
    const began = performance.now();
    t.match(await run(['migrate'], byNew), { code: 0, stdout: /applied \d{14}_add_sessions/ });
    const ended = performance.now();
    const current = await start(t, byNew);
    const atNew = keepLoggingIn(current.url, { clients: 2, pause: 5 });
    await Promise.all([atOld.more(100), atNew.more(100)]);
    t.same((await atOld.stop()).failed, [], 'the old one refuses no login, neither during the migration nor after');
    t.same((await atNew.stop()).failed, []);
    const during = atOld.replies.filter(({ at, milliseconds }) => at > began && at - milliseconds < ended);
    const slowest = Math.max(...during.map(({ milliseconds }) => milliseconds));
    t.comment(
      `migrated in ${(ended - began).toFixed(0)} ms; slowest of ${during.length} logins: ${slowest.toFixed(0)} ms`,
    );

    const accepts = async ({ url }: Running, token: string) =>
      (await send(url, { path: '/api/v1/session', headers: bearer(token) })).status;
    const [oldToken, newToken] = [await getToken(old.url), await getToken(current.url)];
    t.equal(await accepts(current, oldToken), 200, 'the new one accepts a token of the old one');
    t.equal(await accepts(old, newToken), 200, 'and the reverse');

    await stop(t, current);
    await stop(t, old);
    const rolledBack = await start(t, byOld);
    t.equal(await accepts(rolledBack, await getToken(rolledBack.url)), 200, 'the old one runs on the new tables');
    t.equal(await accepts(rolledBack, newToken), 200);
    await stop(t, rolledBack);
  });
}
