import { randomUUID, scryptSync } from 'node:crypto';
import { readFile, rename, stat, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import t, { type Test } from 'tap';
import { readTime } from '#built/commands/users/import/check-row.js';
import { type ImportOptions, importUsers } from '#built/commands/users/import/import-users.js';
import { readRecords } from '#built/commands/users/import/read-records.js';
import { type Config, readConfig } from '#built/config/config.js';
import { PROVIDERS, type Provider } from '#built/database/connection/database-url.js';
import { type Database, openDatabase } from '#built/database/database.js';
import type { ImportedUser } from '#built/database/import/plan.js';
import { migrate } from '#built/database/migrations/migrate.js';
import { createPasswords } from '#built/passwords/passwords.js';
import { run } from '../../support/executable.js';
import { execute } from '../../support/service.js';
import { storedDigest } from '../../support/stored-digest.js';
import { startTemporaryPostgresql } from '../../support/temporary-postgresql.js';

const BCRYPT = '$2a$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';
const DJANGO = 'pbkdf2_sha256$1000$PD4NAtQFa09Efec3o7rQQd$alM1DMKgxu3f3A3IOVjDawH50A4skSn4Nt+JxN+S57w=';
const PLAIN = 'a password in the clear';

const ROW: ImportedUser = {
  id: undefined,
  email: 'a@b',
  passwordDigest: BCRYPT,
  peppered: undefined,
  emailConfirmedAt: undefined,
  disabledAt: undefined,
  createdAt: undefined,
};

type Setup = {
  config: Config;
  database: Database;
  /** Imports text; the summary, and the rejected lines. */
  imports(text: string | Buffer, options?: Partial<ImportOptions>): Promise<object>;
  rejected(): Promise<object[]>;
  /** All that is stored, of each user. */
  stored(): Promise<object[]>;
};

const server = await startTemporaryPostgresql();
t.teardown(() => server.stop());

/** An empty database of the file's one server, or in the directory. */
async function databaseUrl(provider: Provider, directory: string): Promise<string> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  if (provider === 'sqlite') return `file:${directory}/${name}.db`;
  await execute({ provider, href: server.url }, `CREATE DATABASE ${name}`);
  return new URL(name, server.url).href;
}

async function setUp(t: Test, provider: Provider, directory = t.testdir()): Promise<Setup> {
  const file = `${directory}/users`;
  const config = readConfig({ DATABASE_URL: await databaseUrl(provider, directory) }, { issuesTokens: false });
  await migrate(config.databaseUrl);
  const database = await openDatabase(config.databaseUrl);
  t.teardown(() => database.close());
  t.capture(console, 'error');
  return {
    config,
    database,
    async imports(text, options) {
      await writeFile(file, text);
      return importUsers(config, file, { onConflict: 'reject', ...options });
    },
    rejected: async () => parseLines(await readFile(`${file}.rejected.jsonl`, 'utf8')),
    async stored() {
      const { users } = await database.users.list({ after: 0, limit: 10_000 });
      // Rows say nothing of the others.
      return users.map(({ id, email, passwordDigest, peppered, pepper, disabledAt, createdAt }) => {
        return { id, email, passwordDigest, peppered, pepper, disabledAt, createdAt };
      });
    },
  };
}

function parseLines(text: string): { [column: string]: string }[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

function jsonLines(rows: object[]): string {
  return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

const NONE = {
  added: 0,
  updated: 0,
  unchanged: 0,
  rejected: 0,
  rejected_file: null,
  without_password: 0,
  dry_run: false,
};

for (const provider of PROVIDERS) {
  t.test(`users import on ${provider}`, async (t) => {
    const { database, imports, rejected, stored } = await setUp(t, provider);
    const devise = [
      'id,email,encrypted_password,sign_in_count,disabled_at,created_at',
      `7, Foo@Bar.com ,${BCRYPT},3,,2020-02-29 12:00:00.123456`,
      `5,gone@bar.com,${BCRYPT},,2021-01-01 00:00:00 UTC,2020-01-01T02:00:00+02:00`,
      '',
    ].join('\r\n');
    const users = [
      {
        id: 5,
        email: 'gone@bar.com',
        passwordDigest: BCRYPT,
        peppered: null,
        pepper: null,
        disabledAt: new Date('2021-01-01T00:00:00Z'),
        createdAt: new Date('2020-01-01T00:00:00Z'),
      },
      {
        id: 7,
        email: 'foo@bar.com',
        passwordDigest: BCRYPT,
        peppered: null,
        pepper: null,
        disabledAt: null,
        createdAt: new Date('2020-02-29T12:00:00.123Z'),
      },
    ];

    t.same(await imports(devise, { dryRun: true }), { ...NONE, added: 2, dry_run: true });
    t.same(await stored(), [], 'a dry run stores nothing');
    t.same(await imports(devise), { ...NONE, added: 2 });
    t.same(await stored(), users);
    const before = await database.users.find({ id: 7 });
    for (const onConflict of ['reject', 'update'] as const) {
      t.same(await imports(devise, { onConflict }), { ...NONE, unchanged: 2 }, 'again');
    }
    t.same(await database.users.find({ id: 7 }), before, 'nothing is touched');
    t.equal((await database.users.add('next@bar.com', storedDigest(BCRYPT))).id, 8, 'ids go on after the largest');

    t.same(await imports(jsonLines([{ email: 'django@bar.com', password: DJANGO, extra: {} }])), { ...NONE, added: 1 });
    t.match(await database.users.find({ email: 'django@bar.com' }), { id: 9, passwordDigest: DJANGO });
    t.equal((await database.users.add('after@bar.com', storedDigest(BCRYPT))).id, 10);
    t.same(await imports(''), NONE, 'an empty file');

    const bad = [
      { id: 0, email: 'a@b', password_digest: BCRYPT },
      { id: 2_147_483_648, email: 'a@b', password_digest: BCRYPT },
      { id: 'x', email: 'a@b', password_digest: BCRYPT },
      { email: 'ab', password_digest: BCRYPT },
      { email: 'a\u0000@b', password_digest: BCRYPT },
      { email: `${'a'.repeat(254)}@b`, password_digest: BCRYPT },
      { password_digest: BCRYPT },
      { email: 'a@b' },
      { email: 'a@b', password: '!unusable' },
      { email: 'a@b', password: PLAIN },
      { email: 'a@b', password_digest: BCRYPT, disabled_at: 'yesterday' },
      { email: 'a@b', password_digest: BCRYPT, email_confirmed_at: true },
      { email: 'a@b', password_digest: BCRYPT, created_at: '2021-02-29 00:00:00' },
      { id: 7, email: 'new@bar.com', password_digest: BCRYPT },
      { id: 11, email: 'foo@bar.com', password_digest: BCRYPT },
      { id: 5, email: 'foo@bar.com', password_digest: BCRYPT },
    ];
    const summary = await imports(jsonLines([...bad, { id: 20, email: 'good@bar.com', password_digest: BCRYPT }]));
    t.match(summary, { added: 1, rejected: bad.length, rejected_file: /users\.rejected\.jsonl$/ });
    const lines = await rejected();
    t.notMatch(JSON.stringify(lines), PLAIN, 'no digest, which may be a password');
    t.match(
      lines,
      [
        'id must be a whole number from 1 to 2147483647',
        'id must be a whole number from 1 to 2147483647',
        'id must be a whole number from 1 to 2147483647',
        'email must look like an email address',
        'email must look like an email address',
        'email must have at most 254 characters',
        'email is missing',
        'password_digest is missing; see --allow-no-password',
        'password is an unusable password; see --allow-no-password',
        'password has an unknown format, or exceeds its limits',
        'disabled_at must be a time, such as 2026-01-31T12:00:00Z',
        'email_confirmed_at must be a time, such as 2026-01-31T12:00:00Z',
        'created_at must be a time, such as 2026-01-31T12:00:00Z',
        'id 7 belongs to a user with another email',
        'email belongs to the user with id 7',
        'id and email belong to different users',
      ].map((reason, i) => {
        const { id, email } = bad[i] ?? {};
        return {
          line: i + 1,
          reason,
          ...(id !== undefined && { id }),
          ...(email !== undefined && email.length <= 254 && { email }),
        };
      }),
    );
    t.same(await imports(devise), { ...NONE, unchanged: 2 });
    await t.rejects(rejected(), { code: 'ENOENT' }, 'the file of an earlier import is gone');
    t.same(await database.users.count(), 6);
  });

  t.test(`an import that changes a user, on ${provider}`, async (t) => {
    const { database, imports } = await setUp(t, provider);
    const { id } = await database.users.add('foo@bar.com', storedDigest(BCRYPT), { emailConfirmedAt: new Date() });
    const change = async (row: object) => {
      const given = { id, email: 'foo@bar.com', password_digest: DJANGO, ...row };
      t.match(await imports(jsonLines([given]), { onConflict: 'update' }), { rejected: 0 });
      const user = await database.users.find({ id });
      return { version: user?.version, confirmed: user?.emailConfirmedAt instanceof Date };
    };
    t.same(await change({ password_digest: BCRYPT }), { version: 1, confirmed: true }, 'nothing has changed');
    t.same(await change({}), { version: 2, confirmed: true });
    const { version, confirmed } = await change({ email: 'bar@bar.com' });
    t.ok(Number(version) > 2);
    t.notOk(confirmed, 'the new email');
  });

  t.test(`conflicts on ${provider}`, async (t) => {
    const { imports, stored, rejected } = await setUp(t, provider);
    const createdAt = new Date('2020-01-01T00:00:00Z');
    const row = (id: number | undefined, email: string, more: object = {}) => {
      return { id, email, password_digest: BCRYPT, created_at: createdAt, ...more };
    };
    const user = (id: number, email: string, passwordDigest = BCRYPT, disabledAt: Date | null = null) => {
      return { id, email, passwordDigest, peppered: null, pepper: null, disabledAt, createdAt };
    };
    const first = [row(1, 'a@x'), row(2, 'b@x'), row(3, 'c@x'), row(1, 'a@x'), row(1, 'z@x'), row(4, 'b@x')];
    t.match(await imports(jsonLines(first)), { added: 3, unchanged: 1, rejected: 2 });
    t.match(await rejected(), [{ line: 5 }, { line: 6, reason: 'email belongs to the user with id 2' }]);

    const second = [
      row(1, 'new-a@x'), // gives up a@x,
      row(2, 'a@x', { password_digest: DJANGO }), // which this takes,
      row(9, 'c@x', { disabled_at: createdAt }), // and an id is changed.
      row(undefined, 'd@x'),
      row(undefined, 'd@x', { password_digest: DJANGO }),
      row(9, 'a@x'),
    ];
    const expected = { added: 1, updated: 4, unchanged: 0, rejected: 1 };
    t.match(await imports(jsonLines(second), { onConflict: 'update', dryRun: true }), expected, 'as the dry run says');
    t.match(await imports(jsonLines(second), { onConflict: 'update' }), expected);
    const users = [
      user(1, 'new-a@x'),
      user(2, 'a@x', DJANGO),
      user(9, 'c@x', BCRYPT, createdAt),
      user(10, 'd@x', DJANGO),
    ];
    t.same(await stored(), users);
    t.same(await imports(jsonLines([row(9, 'c@x')]), { onConflict: 'update' }), { ...NONE, unchanged: 1 });
    t.same(await imports(jsonLines([row(9, 'c@x', { disabled_at: null })]), { onConflict: 'update' }), {
      ...NONE,
      updated: 1,
    });
  });

  t.test(`peppered and plain bcrypt of one export, on ${provider}`, async (t) => {
    const { config, database, imports, rejected } = await setUp(t, provider);
    const peppered = async () =>
      (await database.users.list({ after: 0, limit: 10 })).users.map((user) => user.peppered);
    const csv = (...values: string[]) =>
      ['email,password_digest,peppered', ...values.map((value, i) => `${i}@x,${BCRYPT},${value}`)].join('\n');

    t.match(await imports(csv('t', 'f', '', 'true', 'false', '1', '0')), { added: 7 });
    t.same(await peppered(), [true, false, null, true, false, true, false]);
    const DATABASE_URL = urlOf(config);
    const { stdout } = await run(['users', 'export'], { cwd: process.cwd(), env: { DATABASE_URL } });
    t.same(
      parseLines(stdout).map((line) => line.peppered),
      await peppered(),
    );
    t.match(await imports(stdout, { onConflict: 'update' }), { unchanged: 7 });

    const [id, pepper] = [1, '01234567'];
    await database.users.update(id, { pepper });
    const pepperOf = async () => (await database.users.find({ id }))?.pepper;
    t.match(await imports(stdout, { onConflict: 'update' }), { unchanged: 7 });
    t.equal(await pepperOf(), pepper, 'the name of the pepper stays with the digest');
    const byOther = [{ email: '0@x', password_digest: BCRYPT.replace(/.$/, 'e'), peppered: true }];
    t.match(await imports(jsonLines(byOther), { onConflict: 'update' }), { updated: 1 });
    t.equal(await pepperOf(), null, 'not with another one');
    await imports(stdout, { onConflict: 'update' });

    t.match(await imports(csv('f', 'f', 'f'), { onConflict: 'update' }), { updated: 2, unchanged: 1 });
    t.same((await peppered()).slice(0, 3), [false, false, false]);
    const withoutColumn = [
      { email: '0@x', password_digest: BCRYPT },
      { email: '1@x', password_digest: DJANGO },
      { email: '8@x', password_digest: BCRYPT },
    ];
    t.match(await imports(jsonLines(withoutColumn), { onConflict: 'update' }), { added: 1, updated: 1, unchanged: 1 });
    t.same((await peppered()).slice(0, 3), [false, null, false], 'kept with the digest, unknown for another one');
    t.equal((await database.users.find({ email: '8@x' }))?.peppered, null);

    t.match(await imports(jsonLines([{ email: '9@x', password_digest: BCRYPT, peppered: 'yes' }])), { rejected: 1 });
    t.match(await rejected(), [{ reason: 'peppered must be true or false' }]);
  });

  t.test(`two imports at once on ${provider}`, async (t) => {
    const cwd = t.testdir();
    const env = { DATABASE_URL: await databaseUrl(provider, cwd) };
    const rows = Array.from({ length: 20_000 }, (_, i) => {
      return { ...(i < 15_000 && { id: i * 2 + 100 }), email: `${i}@bar.com`, password_digest: BCRYPT };
    });
    await writeFile(`${cwd}/users.jsonl`, jsonLines(rows));
    await run(['migrate'], { cwd, env });
    const results = await Promise.all(
      [1, 2].map(() => run(['users', 'import', 'users.jsonl', '--json'], { cwd, env })),
    );
    t.same(
      results.map(({ code }) => code),
      [0, 0],
    );
    const added = results.map(({ stdout }) => JSON.parse(stdout).added);
    t.equal((added[0] ?? 0) + (added[1] ?? 0), rows.length, `${added} rows each`);
    const { stdout } = await run(['users', 'export'], { cwd, env });
    const users = parseLines(stdout).map(({ id, email }) => `${id} ${email}`);
    t.same(
      users,
      rows.map(({ email }, i) => `${i < 15_000 ? i * 2 + 100 : i + 15_099} ${email}`),
    );
  });
}

for (const provider of PROVIDERS) {
  t.test(`a failure of ${provider} is one line, and no other error is taken for it`, async (t) => {
    const cwd = t.testdir({ 'users.csv': `email,password_digest\na@b,${BCRYPT}\n` });
    const { config } = await setUp(t, provider, cwd);
    const database = await openDatabase(config.databaseUrl);
    t.teardown(() => database.close());
    const { rehearse, store } = database.userImport;
    const ours = new Error('ours');
    await t.rejects(
      rehearse(() => Promise.reject(ours)),
      ours,
    );
    await execute(config.databaseUrl, 'DROP TABLE users');
    const unavailable = { status: 503, message: /^the database at .+ does not answer: ./ };
    await t.rejects(store([ROW], 'reject'), unavailable);
    await t.rejects(
      rehearse(() => Promise.resolve()),
      unavailable,
    );
    for (const args of [[], ['--dry-run']]) {
      const env = { DATABASE_URL: urlOf(config) };
      const { code, stdout, stderr } = await run(['users', 'import', 'users.csv', ...args], { cwd, env });
      t.match({ code, stdout }, { code: 69, stdout: '' });
      t.match(stderr, /^sessions-api: the database at \S+ does not answer: [^\n]*users[^\n]*\n$/);
    }
  });
}

/** The line of the change, and no other. */
const IMPORTED = /^\{.*"event":"users_imported".*\}\n$/;

t.test('PostgreSQL that ends the connection of an import', async (t) => {
  const { config, database } = await setUp(t, 'postgresql');
  const rehearsal = database.userImport.rehearse(async (store) => {
    await execute(
      config.databaseUrl,
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()',
    );
    await store([ROW], 'reject');
  });
  await t.rejects(rehearsal, { status: 503, message: /^the database at .+ does not answer: ./ });
  t.same(await database.userImport.store([ROW], 'reject'), ['added'], 'it can be used again');
});

t.test('the file of SQLite is removed during an import', async (t) => {
  const { config } = await setUp(t, 'sqlite');
  if (config.databaseUrl.provider !== 'sqlite') return;
  const { file } = config.databaseUrl;
  const database = await openDatabase(config.databaseUrl, { bulk: true });
  await database.userImport.store([ROW], 'update');
  await rename(file, `${file}.away`);
  // The answer to a check of the file is used again for a while.
  const storeUntilNoticed = async () => {
    while (true) await database.userImport.store([ROW], 'update');
  };
  await t.rejects(storeUntilNoticed(), { message: /the file has been removed/ });
  await database.close();
  t.equal((await stat(`${file}-wal`)).size, 0, 'no write-ahead log is left that another file would get');
});

t.test('export, and import into the other database', async (t) => {
  const directory = t.testdir();
  const postgresql = await setUp(t, 'postgresql', directory);
  const sqlite = await setUp(t, 'sqlite', directory);
  for (const [from, to] of [
    [sqlite, postgresql],
    [postgresql, sqlite],
  ] as const) {
    await from.imports(
      jsonLines([
        {
          id: 3,
          email: 'ä@bar.com',
          password: DJANGO,
          disabled_at: '2020-01-01T00:00:00Z',
          email_confirmed_at: '2019-01-01T00:00:00Z',
        },
      ]),
    );
    const DATABASE_URL = urlOf(from.config);
    const { stdout } = await run(['users', 'export'], { cwd: process.cwd(), env: { DATABASE_URL } });
    const lines = parseLines(stdout);
    t.match(lines, [
      {
        id: 3,
        email: 'ä@bar.com',
        password_digest: DJANGO,
        disabled_at: '2020-01-01T00:00:00.000Z',
        email_confirmed_at: '2019-01-01T00:00:00.000Z',
      },
    ]);
    t.match(await to.imports(stdout), { rejected: 0 });
    t.same(await to.stored(), await from.stored());
  }
});

function urlOf({ databaseUrl }: Config): string {
  return databaseUrl.provider === 'sqlite' ? `file:${databaseUrl.file}` : databaseUrl.href;
}

t.test('users import on the command line', async (t) => {
  const cwd = t.testdir({ 'users.csv': `email,password_digest\na@b,${BCRYPT}\nno email,${BCRYPT}\n` });
  t.match(await run(['users', 'import', 'users.csv'], { cwd }), {
    code: 65,
    stdout: '1 added, 0 updated, 0 unchanged, 1 rejected: see users.csv.rejected.jsonl\n',
    stderr: 'line 3: email must look like an email address\n',
  });
  t.equal(await readFile(`${cwd}/users.csv.rejected.jsonl`, 'utf8').then((text) => JSON.parse(text).line), 3);
  const piped = await run(['users', 'import', '-', '--json'], {
    cwd,
    input: jsonLines([{ email: 'c@d', password: DJANGO }]),
  });
  t.match({ ...piped, stdout: JSON.parse(piped.stdout) }, { code: 0, stdout: { ...NONE, added: 1 }, stderr: IMPORTED });
  t.match(await run(['users', 'import', 'nothing.csv'], { cwd }), {
    code: 66,
    stdout: '',
    stderr: /^sessions-api: nothing\.csv can’t be read: ENOENT/,
  });
  t.match(await run(['users', 'import', 'users.csv', '--on-conflict', 'x'], { cwd }), { code: 64, stdout: '' });
  t.match(await run(['users', 'import', '-'], { cwd, input: 'mail;password\n' }), {
    code: 65,
    stderr: /^sessions-api: line 1: the header has no column email; .* use --delimiter\n$/,
  });
});

t.test('scrypt of Node.js with other parameters than better-auth’s', async (t) => {
  const salt = '00112233445566778899aabbccddeeff';
  const digest = `${salt}:${scryptSync('foobar', salt, 64, { N: 1024, r: 8, p: 1 }).toString('hex')}`;
  const cwd = t.testdir({ 'users.csv': `email,password\na@b,${digest}\nc@d,${BCRYPT}\n` });
  const parameters = ['--scrypt-parameters', 'N=1024,r=8,p=1'];
  for (const counts of ['2 added, 0 updated, 0 unchanged', '0 added, 0 updated, 2 unchanged']) {
    t.match(await run(['users', 'import', 'users.csv', '--on-conflict', 'update', ...parameters], { cwd }), {
      code: 0,
      stdout: `${counts}, 0 rejected\n`,
    });
  }
  const { stdout } = await run(['users', 'export'], { cwd });
  const [{ password_digest: stored = '' } = {}, { password_digest: other = '' } = {}] = parseLines(stdout);
  t.equal(stored, `$scrypt-hex$ln=10,r=8,p=1$${digest.replace(':', '$')}`);
  t.ok(await createPasswords({ algorithm: 'argon2id' }).verify('foobar', storedDigest(stored)));
  t.equal(other, BCRYPT, 'other formats are stored unchanged');
  t.match(await run(['users', 'import', '-'], { cwd, input: stdout }), { stdout: /2 unchanged, 0 rejected/ });
  for (const text of ['N=1000,r=8,p=1', 'N=65536,r=1,p=1', '8']) {
    t.match(await run(['users', 'import', 'users.csv', '--scrypt-parameters', text], { cwd }), {
      code: 64,
      stdout: '',
    });
  }
});

/** What comes out of a file that comes in in pieces of so many bytes. */
async function recordsOf(text: string | Buffer, size = 65_536) {
  const bytes = Buffer.from(text);
  const chunks = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  const records = [];
  for await (const record of readRecords(Readable.from(chunks))) records.push(record);
  return records;
}

t.test('hostile files', async (t) => {
  const long = 'x'.repeat(300_000);
  const header = 'email,password\n';
  const cases: [name: string, text: string | Buffer, found: object[]][] = [
    ['byte-order mark', `\ufeff${header}a@b,c\n`, [{ line: 2, values: { email: 'a@b', password: 'c' } }]],
    ['byte-order mark of JSON', '\ufeff{"a":1}', [{ line: 1, values: { a: 1 } }]],
    ['CRLF', 'email,password\r\na@b,c\r\n\r\nd@e,f', [{ line: 2 }, { line: 4, values: { password: 'f' } }]],
    [
      'quotes',
      `${header}"a""@b","c\nd"\ne@f,\n`,
      [{ line: 2, values: { email: 'a"@b', password: 'c\nd' } }, { line: 4 }],
    ],
    ['formula cells', `${header}=1+1@b,"=cmd|' /C calc'!A0"\n`, [{ line: 2, values: { email: '=1+1@b' } }]],
    ['NUL', `${header}a\0@b,c\n`, [{ line: 2, values: { email: 'a\0@b' } }]],
    ['Latin-1', Buffer.from(`${header}\xe4@b,c\n`, 'latin1'), [{ line: 2, values: { email: '\ufffd@b' } }]],
    [
      'too many fields',
      `${header}a,b,c\nd@e,f\n`,
      [{ line: 2, reason: 'has 3 fields, the header has 2' }, { line: 3 }],
    ],
    ['a quote within', `${header}a"b,c\nd@e,f\n`, [{ line: 2, values: { email: 'a"b' } }, { line: 3 }]],
    ['more after a quote', `${header}"a"b,c\nd@e,f\n`, [{ line: 2, values: { email: '"a"b' } }, { line: 3 }]],
    ['an unclosed quote', `${header}a@b,c\n"d@e,f\ng@h,i\n`, [{ line: 2 }, { line: 3, reason: /not closed/ }]],
    ['an unclosed quote before another', `${header}"a@b,c\n"d@e",f\n`, [{ line: 2, values: { email: /\n/ } }]],
    [
      'an unclosed quote, and a long rest',
      `${header}a@b,c\n"d@e,f\n${'g@h,i\n'.repeat(100_000)}`,
      [{ line: 2 }, { line: 3, reason: /not closed within .* the rest of the file is not read/ }],
    ],
    [
      'a long line',
      `${header}a@b,c\n${long}\nd@e,f\n`,
      [{ line: 2 }, { line: 3, reason: 'the line is longer than 65536 bytes' }, { line: 4 }],
    ],
    [
      'a long line of JSON',
      `{"a":1}\n{"a":"${long}"}\n{"a":2}`,
      [{ line: 1 }, { line: 2, reason: /longer/ }, { line: 3 }],
    ],
    ['not JSON', '{"a":1}\n[1]\n{"a":\nnull\n{}', [{ line: 1 }, { line: 2 }, { line: 3 }, { line: 4 }, { line: 5 }]],
  ];
  for (const [name, text, found] of cases) {
    for (const size of [65_536, 7]) {
      const records = await recordsOf(text, size);
      records.sort((a, b) => a.line - b.line);
      t.equal(records.length, found.length, `${name}, in pieces of ${size} bytes`);
      t.match(records, found, name);
    }
  }
  const refused: [text: string | Buffer, message: string][] = [
    [Buffer.from('\ufeffemail,password\n', 'utf16le'), 'line 1: the file is in UTF-16; it must be in UTF-8'],
    ['[{"email":"a@b"}]', 'line 1: a JSON array can’t be read: JSON Lines has one object on each line'],
    ['name,password\n', 'line 1: the header has no column email'],
    ['email,name\n', 'line 1: the header has none of the columns password_digest, encrypted_password, password'],
    ['email,Email,password\n', 'line 1: the header has the column "email" twice'],
    ['\x1f\x8b\x08binary', 'line 1: the header has no column email'],
  ];
  for (const [text, message] of refused) await t.rejects(recordsOf(text), { message, exitCode: 65 }, message);
});

t.test('a line of 100 MB takes no memory', async (t) => {
  async function* endless() {
    yield Buffer.from('email,password\na@b,c\n');
    for (let i = 0; i < 1600; i += 1) yield Buffer.alloc(65_536, 'x');
    yield Buffer.from('\nd@e,f\n');
  }
  const records = [];
  for await (const record of readRecords(endless())) records.push(record);
  t.match(records, [{ line: 2 }, { line: 3, reason: /longer/ }, { line: 4 }]);
});

t.test('times', async (t) => {
  const times: [value: unknown, time: string | null | undefined][] = [
    [undefined, undefined],
    [null, null],
    ['', undefined],
    ['0001-01-01 00:00:00', '0001-01-01T00:00:00.000Z'],
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31 12:00:00', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31 12:00:00.123456 UTC', '2026-01-31T12:00:00.123Z'],
    ['2026-01-31 12:00:00.5+02', '2026-01-31T10:00:00.500Z'],
    ['2026-01-31T12:00:00-0530', '2026-01-31T17:30:00.000Z'],
    ['2026-01-31T12:00:00.000+00:00', '2026-01-31T12:00:00.000Z'],
  ];
  for (const [value, time] of times) {
    const found = readTime(value);
    t.equal(typeof found === 'number' ? new Date(found).toISOString() : found, time, String(value));
  }
  for (const value of [
    'x',
    1,
    '2026-02-30 00:00:00',
    '2026-01-31 25:00:00',
    '2026-13-01 00:00:00',
    '2026-01-31',
    '0000-01-01 00:00:00',
    '0001-01-01 00:00:00+01',
    '9999-12-31 23:59:59-01',
  ]) {
    t.ok(Number.isNaN(readTime(value)), String(value));
  }
});
