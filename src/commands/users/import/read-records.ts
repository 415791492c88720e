import { parse } from 'csv-parse/sync';
import { EXIT } from '../../../errors/exit-codes.js';
import { ExpectedError } from '../../../errors/expected-error.js';
import { CSV, readCsv } from './read-csv.js';
import { readTabSeparated } from './read-tab-separated.js';
import { type Fields, MAX_LINE, type Rejection, type SourceRecord } from './source-record.js';

export type FileFormat = {
  /** Between the columns; found in the header unless given. */
  delimiter?: string;
  /** Whether a file without a column of digests is read. */
  allowNoPassword?: boolean;
};

const NEWLINE = 0x0a;
/** What may separate columns, unless it is given. */
const DELIMITERS = [',', ';', '\t', '|'];
/** NULL, as MySQL writes it. */
const NULL = '\\N';

/** The digest's column in Rails, Devise and Django. The first one that a file has is read. */
export const DIGEST_COLUMNS = ['password_digest', 'encrypted_password', 'password'];

/**
 * Reads JSON Lines, or else a file with a header: CSV, or tab-separated. Memory does not grow with the file or with a line.
 *
 * @throws ExpectedError
 */
export async function* readRecords(
  source: AsyncIterable<Buffer>,
  format: FileFormat = {},
): AsyncGenerator<SourceRecord | Rejection> {
  const tooLong: Rejection[] = [];
  const blocks = wholeLines(source, tooLong);
  const { value: first } = await blocks.next();
  if (first) {
    const all = startingWith(first, blocks);
    const records = isJson(first) ? readJsonLines(all) : withHeader(readFields(all, first, format), format);
    for await (const record of records) {
      yield record;
      yield* tooLong.splice(0);
    }
  }
  yield* tooLong;
}

function isJson(start: Buffer): boolean {
  if (/^(\xff\xfe|\xfe\xff)/.test(start.toString('latin1', 0, 2))) {
    throw new ExpectedError('line 1: the file is in UTF-16; it must be in UTF-8', EXIT.DATAERR);
  }
  // Without a byte-order mark, which counts as white space.
  const text = start.toString().trimStart();
  if (text.startsWith('[')) {
    throw new ExpectedError('line 1: a JSON array can’t be read: JSON Lines has one object on each line', EXIT.DATAERR);
  }
  return text.startsWith('{');
}

async function* startingWith(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

/** Splits a stream into blocks of whole lines. Of a line that is too long, only the end is left. */
async function* wholeLines(source: AsyncIterable<Buffer>, tooLong: Rejection[]): AsyncGenerator<Buffer, undefined> {
  let begun: Buffer = Buffer.alloc(0);
  let line = 1;
  let isSkipping = false;
  for await (const chunk of source) {
    const from = isSkipping ? chunk.indexOf(NEWLINE) : 0;
    if (from < 0) continue;
    isSkipping = false;
    const to = chunk.lastIndexOf(NEWLINE) + 1;
    if (to > 0) {
      const block = Buffer.concat([begun, chunk.subarray(from, to)]);
      line += countLines(block);
      begun = chunk.subarray(to);
      yield block;
    } else {
      begun = Buffer.concat([begun, chunk]);
    }
    if (begun.length > MAX_LINE) {
      tooLong.push({ line, reason: `the line is longer than ${MAX_LINE} bytes` });
      begun = Buffer.alloc(0);
      isSkipping = true;
    }
  }
  if (begun.length > 0) yield begun;
}

function countLines(block: Buffer): number {
  let count = 0;
  for (let at = block.indexOf(NEWLINE); at >= 0; at = block.indexOf(NEWLINE, at + 1)) count += 1;
  return count;
}

async function* readJsonLines(blocks: AsyncIterable<Buffer>): AsyncGenerator<SourceRecord | Rejection> {
  let line = 0;
  for await (const block of blocks) {
    const texts = block.toString().split('\n');
    // A block ends with a line break, and the file may.
    if (texts.at(-1) === '') texts.pop();
    for (const text of texts) {
      line += 1;
      if (text.trim() !== '') yield readJson(line, text);
    }
  }
}

function readJson(line: number, text: string): SourceRecord | Rejection {
  try {
    // trim() takes off a byte-order mark.
    const values: unknown = JSON.parse(text.trim());
    if (isObject(values)) return { line, values };
  } catch {}
  return { line, reason: 'the line is not a JSON object' };
}

function isObject(value: unknown): value is { [key: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readFields(blocks: AsyncIterable<Buffer>, first: Buffer, { delimiter }: FileFormat) {
  const start = first.toString();
  const separator = delimiter ?? DELIMITERS.find((each) => headerOf(start, each).includes('email')) ?? ',';
  // With quotes it is a spreadsheet's, or psql's.
  const isText = separator === '\t' && !start.slice(0, start.indexOf('\n')).includes('"');
  return isText ? readTabSeparated(blocks) : readCsv(blocks, separator);
}

function headerOf(start: string, delimiter: string): string[] {
  const [header = []] = parse(start, { ...CSV, delimiter, to: 1 });
  return header.map(nameOf);
}

function nameOf(cell: string): string {
  return cell.trim().toLowerCase();
}

async function* withHeader(
  rows: AsyncIterable<Fields | Rejection>,
  format: FileFormat,
): AsyncGenerator<SourceRecord | Rejection> {
  let header: string[] | undefined;
  for await (const row of rows) {
    if ('reason' in row) yield row;
    else if (header === undefined) header = checkHeader(row.fields.map(nameOf), format);
    else if (row.fields.length === header.length) yield { line: row.line, values: valuesOf(header, row.fields) };
    else yield { line: row.line, reason: `has ${row.fields.length} fields, the header has ${header.length}` };
  }
}

function checkHeader(header: string[], { allowNoPassword }: FileFormat): string[] {
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ExpectedError(`line 1: the header has the column ${JSON.stringify(twice)} twice`, EXIT.DATAERR);
  if (!header.includes('email')) {
    throw new ExpectedError(
      'line 1: the header has no column email; if the columns are not separated by , ; | or a tab, use --delimiter',
      EXIT.DATAERR,
    );
  }
  if (!allowNoPassword && !DIGEST_COLUMNS.some((name) => header.includes(name))) {
    throw new ExpectedError(`line 1: the header has none of the columns ${DIGEST_COLUMNS.join(', ')}`, EXIT.DATAERR);
  }
  return header;
}

function valuesOf(header: string[], fields: string[]): { [column: string]: unknown } {
  return Object.fromEntries(header.map((name, i) => [name, fields[i] === NULL ? '' : fields[i]]));
}
