/** A disk that fills up during a migration and during an import: exit code 74, and the same command completes it once there is room. */
import { rm, stat } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import t, { type Test } from 'tap';
import { readConfig } from '#built/config/config.js';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { readMigrations } from '#built/database/migrations/migrations.js';
import { run } from '../test/support/executable.js';
import { execute, query } from '../test/support/service.js';
import { CANNOT_MOUNT, mountSmallDisk, type SmallDisk } from '../test/support/small-disk.js';
import { startTemporaryPostgresql } from '../test/support/temporary-postgresql.js';

/** Rows of an import: three batches. */
/** The line of the change, where there was one, and no other. */
const IMPORTED = /^(\{.*"event":"users_imported".*\}\n)?$/;
const ROWS = 12_000;
/** The room that is left: tenths of what the undisturbed one takes, in steps, until it is enough. */
const TENTHS = Array.from({ length: 15 }, (_, step) => step * 3);
const DIGEST = '$2b$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';

/** What a migration leaves behind: tables, columns and indexes. */
const SCHEMA = {
  sqlite: 'SELECT name, sql FROM sqlite_master ORDER BY name',
  postgresql: `SELECT table_name, column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = 'public'
    UNION SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2`,
};

const RECORDS = 'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY 1';

type Env = { DATABASE_URL: string };

type Bed = {
  disk: SmallDisk;
  /** Makes an empty database on the disk, and drops the one before. */
  empty(): Promise<string>;
};

/** PostgreSQL has a tablespace on the disk. Its log is elsewhere: without room for that the server stops. */
async function makeBed(t: Test, provider: Provider): Promise<Bed | undefined> {
  if (provider === 'sqlite') {
    const disk = await mountSmallDisk(t, 32);
    if (!disk) return undefined;
    const directory = `${disk.directory}/database`;
    const empty = () => rm(directory, { recursive: true, force: true }).then(() => `file:${directory}/sessions.db`);
    return { disk, empty };
  }
  const server = await startTemporaryPostgresql();
  t.teardown(() => server.stop());
  const maintenance = { provider, href: server.url } as const;
  const [[directory] = []] = await query(maintenance, 'SHOW data_directory');
  const disk = await mountSmallDisk(t, 64, (await stat(String(directory))).uid);
  if (!disk) return undefined;
  let count = 0;
  await execute(maintenance, `CREATE TABLESPACE small LOCATION '${disk.directory}'`);
  return {
    disk,
    async empty() {
      await execute(maintenance, `DROP DATABASE IF EXISTS test_${count}`);
      await execute(maintenance, `CREATE DATABASE test_${++count} TABLESPACE small`);
      const url = new URL(`test_${count}`, server.url).href;
      // The first connection writes a cache.
      await query({ provider, href: url }, 'SELECT 1');
      return url;
    },
  };
}

async function migrated(bed: Bed, cwd: string): Promise<Env> {
  const env = { DATABASE_URL: await bed.empty() };
  const { code, stderr } = await run(['migrate'], { cwd, env });
  if (code !== 0) throw new Error(stderr);
  return env;
}

const urlOf = (env: Env) => readConfig(env, { issuesTokens: false }).databaseUrl;

t.setTimeout(1_200_000);

for (const provider of PROVIDERS) {
  t.test(`a migration on ${provider}`, async (t) => {
    const bed = await makeBed(t, provider);
    if (!bed) return t.pass('a full disk', { skip: CANNOT_MOUNT });
    const schemaOf = (env: Env) => query(urlOf(env), SCHEMA[provider]);
    const migrations = readMigrations(provider).map(({ name }) => name);
    const cwd = t.testdir();
    await bed.empty();
    const before = await bed.disk.used();
    const undisturbed = await schemaOf(await migrated(bed, cwd));
    const takes = (await bed.disk.used()) - before;
    const completed = new Set<number>();

    /** Returns whether the room was enough. */
    const migrateWith = async (t: Test, bytes: number): Promise<boolean> => {
      const env = { DATABASE_URL: await bed.empty() };
      await bed.disk.leave(bytes);
      const first = await run(['migrate'], { cwd, env });
      await bed.disk.relieve();
      if (first.code === 0) return true;
      t.match(first, { code: 74, stdout: '' });
      t.match(first.stderr, /^sessions-api: the database at \S+ has a full disk, or one that fails: [^\n]+\n$/);
      const next = await run(['migrate'], { cwd, env });
      t.match(next, { code: 0, stderr: '' }, `the next start completes it, after ${first.stderr}`);
      const rest = next.stdout.match(/(?<=applied )\w+/g) ?? [];
      t.same(migrations.slice(migrations.length - rest.length), rest, 'what is pending is applied, in order');
      completed.add(rest.length);
      t.same(await schemaOf(env), undisturbed, 'nothing is left half done');
      t.same((await query(urlOf(env), RECORDS)).flat(), migrations);
      return false;
    };

    let enough = false;
    for (const tenths of TENTHS) {
      if (enough) break;
      await t.test(`with room for ${tenths} tenths of it`, async (t) => {
        enough = await migrateWith(t, (takes * tenths) / 10);
      });
    }
    t.ok(enough, 'the last one had enough');
    t.ok(completed.size > 2, `it stopped before ${[...completed]} of the migrations`);
  });

  t.test(`an import on ${provider}`, async (t) => {
    const bed = await makeBed(t, provider);
    if (!bed) return t.pass('a full disk', { skip: CANNOT_MOUNT });
    const lines = Array.from({ length: ROWS }, (_, i) =>
      JSON.stringify({ email: `${i}@bar.com`, password_digest: DIGEST, created_at: '2020-01-01 00:00:00' }),
    );
    const cwd = t.testdir({ 'users.jsonl': lines.join('\n') });
    const command = ['users', 'import', 'users.jsonl', '--json'];
    const stored = (env: Env) => query(urlOf(env), 'SELECT id, email, password_digest FROM users ORDER BY id');

    const spacious = await migrated(bed, cwd);
    const before = await bed.disk.used();
    t.match(await run(command, { cwd, env: spacious }), { code: 0 });
    const takes = (await bed.disk.used()) - before;
    const undisturbed = await stored(spacious);
    let amid = 0;

    let enough = false;
    for (const tenths of TENTHS) {
      if (enough) break;
      await t.test(`with room for ${tenths} tenths of it`, async (t) => {
        const env = await migrated(bed, cwd);
        await bed.disk.leave((takes * tenths) / 10);
        const first = await run(command, { cwd, env });
        await bed.disk.relieve();
        enough = first.code === 0;
        if (enough) return;
        t.match(first, { code: 74, stdout: '' });
        t.match(
          JSON.parse(first.stderr.trim().split('\n').at(-1) ?? '').message,
          /^the database at \S+ has a full disk, or one that fails: /,
        );
        const next = await run(command, { cwd, env });
        t.match(next, { code: 0, stderr: IMPORTED }, `the same import completes it, after ${first.stderr}`);
        const { added, unchanged } = JSON.parse(next.stdout);
        t.equal(added + unchanged, ROWS);
        if (added > 0 && unchanged > 0) amid += 1;
        t.ok(isDeepStrictEqual(await stored(env), undisturbed), 'all is as it is undisturbed');
      });
    }
    t.ok(enough, 'the last one had enough');
    t.ok(amid > 0, `${amid} stopped amid their rows`);
  });
}
