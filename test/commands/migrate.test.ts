import t from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS } from '#built/database/connection/database-url.js';
import { readMigrations } from '#built/database/migrations/migrations.js';
import { contentOf } from '../support/content-of.js';
import { run } from '../support/executable.js';
import { createDatabase, execute, query } from '../support/service.js';

for (const provider of PROVIDERS) {
  t.test(`pending migrations on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await createDatabase(t, provider) };
    const { databaseUrl } = readConfig(env, { issuesTokens: false });
    const names = readMigrations(provider).map(({ name }) => name);
    const pending = (...args: string[]) => run(['migrate', '--pending', ...args], { cwd, env });
    const namesOf = (stdout: string) => stdout.match(/^\d{14}_\w+/gm);

    const first = await pending();
    t.match(first, { code: 0, stderr: '' });
    t.same(namesOf(first.stdout), names);
    t.same(namesOf((await pending()).stdout), names, 'nothing is applied');
    t.same(contentOf(cwd), new Map(), 'and no file is created');

    t.same(JSON.parse((await run(['migrate', '--json'], { cwd, env })).stdout), { applied: names });
    t.match(await pending(), { code: 0, stdout: 'nothing to apply\n', stderr: '' });
    t.same(JSON.parse((await pending('--json')).stdout), { pending: [] });

    // As if a later version had brought them.
    const later = names.filter((name) => /add_peppered|add_sessions/.test(name));
    await execute(databaseUrl, `DELETE FROM _prisma_migrations WHERE migration_name IN ('${later.join("', '")}')`);
    const before = contentOf(cwd);
    const lock =
      provider === 'sqlite'
        ? { lock: 'RESERVED', blocks: 'writes to all tables' }
        : { lock: 'ACCESS EXCLUSIVE', blocks: 'reads and writes' };
    const adds = 'adds columns, no rewrite';
    t.same(JSON.parse((await pending('--json')).stdout), {
      pending: [
        { name: later[0], tables: [{ table: 'users', changes: [adds], ...lock }], before: [] },
        {
          name: later[1],
          tables: [
            { table: 'users', changes: [adds, 'updates rows'], ...lock },
            { table: 'sessions', changes: ['creates the table', 'builds an index'], lock: null, blocks: null },
          ],
          before: [],
        },
      ],
    });
    const held = `${lock.lock} until it ends, blocks ${lock.blocks}`;
    t.equal(
      (await pending()).stdout,
      [
        later[0],
        `  users: ${adds}; ${held}`,
        later[1],
        `  users: ${adds}, updates rows; ${held}`,
        '  sessions: creates the table, builds an index; not in use yet\n',
      ].join('\n'),
    );

    const dryRun = await run(['users', 'import', '-', '--dry-run'], { cwd, env, input: '' });
    t.match(dryRun, { code: 78, stdout: '', stderr: 'run "sessions-api migrate" first' });
    t.match(dryRun.stderr, later.join(', '));
    t.same(contentOf(cwd), before, 'a dry run applies nothing either');
    t.same(await query(databaseUrl, 'SELECT count(*) FROM _prisma_migrations'), [[names.length - later.length]]);
  });
}

t.test('what is no database of the service', async (t) => {
  const cwd = t.testdir({ text: 'root:x:0:0:root:/root:/bin/bash\n' });
  const env = { DATABASE_URL: 'file:text' };
  const { code, stderr } = await run(['migrate', '--pending', '--json'], { cwd, env });
  t.equal(code, 78);
  t.match(JSON.parse(stderr), { code: 'config', message: /text is not an SQLite database/ });
});
