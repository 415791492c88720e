/** Files with other separators than a comma, and the text that MySQL and PostgreSQL write. */
import { Readable } from 'node:stream';
import t from 'tap';
import { type FileFormat, readRecords } from '#built/commands/users/import/read-records.js';
import { run } from '../../../support/executable.js';

const BCRYPT = '$2a$04$abcdefghijklmnopqrstuu9log0hrAUiurK9/TETFbcPOPd.iIULC';

/** What comes out of a file that comes in in pieces of so many bytes. */
async function recordsOf(text: string, size: number, format?: FileFormat) {
  const bytes = Buffer.from(text);
  const chunks = [];
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
  const records = [];
  for await (const record of readRecords(Readable.from(chunks), format)) records.push(record);
  return records;
}

t.test('the separator is found in the header, or given', async (t) => {
  for (const separator of [',', ';', '\t', '|']) {
    const text = `id${separator}email${separator}password\n1${separator}ä@b${separator}c\n`;
    const expected = [{ line: 2, values: { id: '1', email: 'ä@b', password: 'c' } }];
    t.same(await recordsOf(text, 65_536), expected, JSON.stringify(separator));
  }
  const quoted = '"email";"password"\n"a;@b";c\n';
  t.match(await recordsOf(quoted, 7), [{ values: { email: 'a;@b', password: 'c' } }]);
  const spreadsheet = '"email"\t"password"\n"a""@b"\tc\n';
  t.match(await recordsOf(spreadsheet, 7), [{ values: { email: 'a"@b', password: 'c' } }]);
  await t.rejects(recordsOf('email:password\na@b:c\n', 7), { message: /no column email; .* --delimiter$/ });
  t.match(await recordsOf('email:password\na@b:c\n', 7, { delimiter: ':' }), [{ values: { password: 'c' } }]);
  t.match(await recordsOf('email,password\na@b,\\N\n', 7), [{ values: { email: 'a@b', password: '' } }], 'NULL');
});

t.test('tab-separated text, escaped by backslashes', async (t) => {
  const header = 'email\tbio\tpassword\n';
  const cases: [name: string, text: string, found: object[]][] = [
    ['NULL', 'a@b\t\\N\tc\n', [{ line: 2, values: { email: 'a@b', bio: '', password: 'c' } }]],
    ['a tab, as INTO OUTFILE has it', 'a@b\tx\\\ty\tc\n', [{ line: 2, values: { bio: 'x\ty', password: 'c' } }]],
    ['a tab, as COPY has it', 'a@b\tx\\ty\tc\n', [{ line: 2, values: { bio: 'x\ty' } }]],
    ['a line break', 'a@b\tx\\\ny\tc\nd@e\t\tf\n', [{ line: 2, values: { bio: 'x\ny' } }, { line: 4 }]],
    ['a backslash', 'a@b\tx\\\\\tc\n', [{ line: 2, values: { bio: 'x\\', password: 'c' } }]],
    ['quotes', 'a"@b\t"x\tc\n', [{ line: 2, values: { email: 'a"@b', bio: '"x', password: 'c' } }]],
    ['CRLF, and no end', 'a@b\tx\tc\r\n\r\nd@e\ty\tf', [{ values: { password: 'c' } }, { values: { password: 'f' } }]],
    ['too few', 'a@b\tc\nd@e\t\tf\n', [{ line: 2, reason: 'has 2 fields, the header has 3' }, { line: 3 }]],
    ['a row without an end', `a@b\tx\tc\n${'x\\\n'.repeat(100_000)}`, [{ line: 2 }, { line: 3, reason: /longer/ }]],
  ];
  for (const [name, text, found] of cases) {
    for (const size of [65_536, 7]) {
      const records = await recordsOf(header + text, size);
      t.equal(records.length, found.length, name);
      t.match(records, found, `${name}, in pieces of ${size} bytes`);
    }
  }
});

t.test('--delimiter', async (t) => {
  const cwd = t.testdir({
    'users.txt': `email:password\na@b:${BCRYPT}\n`,
    'users.tsv': `email\tpassword\nc@d\t${BCRYPT}\n`,
  });
  const imports = (...args: string[]) => run(['users', 'import', ...args], { cwd });
  t.match(await imports('users.txt', '--delimiter', ':'), { code: 0, stdout: /^1 added/ });
  t.match(await imports('users.tsv', '--delimiter', 'tab'), { code: 0, stdout: /^1 added/ });
  for (const wrong of ['', '::', '"', '\\']) {
    t.match(await imports('users.txt', '--delimiter', wrong), { code: 64, stdout: '' }, wrong);
  }
});
