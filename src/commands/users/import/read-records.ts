import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { ExpectedError } from '../../../errors/expected-error.js';

/** A row of the file, by the names of its columns. */
export type SourceRecord = { line: number; values: { [column: string]: unknown } };
/** A row that can't be read or stored. It carries only the values that identify the user: others may be secret. */
export type Rejection = { line: number; reason: string; id?: unknown; email?: unknown };

/** The file as a whole can't be read; nothing has been stored. */
export class FileRefused extends ExpectedError {}

/** Bytes of a line, and of a row with quoted line breaks; a user's row has a few hundred. */
const MAX_LINE = 65_536;
const MAX_RECORD = 2 * MAX_LINE;
const NEWLINE = 0x0a;

/** The digest's column in Rails, Devise and Django. The first one that a file has is read. */
export const DIGEST_COLUMNS = ['password_digest', 'encrypted_password', 'password'];

/**
 * Reads CSV with a header (RFC 4180) or JSON Lines; the first character tells which. Memory does not grow with the file
 * or with a line.
 *
 * @throws FileRefused
 */
export async function* readRecords(source: AsyncIterable<Buffer>): AsyncGenerator<SourceRecord | Rejection> {
  const tooLong: Rejection[] = [];
  const blocks = wholeLines(source, tooLong);
  const { value: first } = await blocks.next();
  if (first) {
    const all = startingWith(first, blocks);
    for await (const record of isJson(first) ? readJsonLines(all) : readCsv(all)) {
      yield record;
      yield* tooLong.splice(0);
    }
  }
  yield* tooLong;
}

function isJson(start: Buffer): boolean {
  if (/^(\xff\xfe|\xfe\xff)/.test(start.toString('latin1', 0, 2))) {
    throw new FileRefused('line 1: the file is in UTF-16; it must be in UTF-8');
  }
  // Without a byte-order mark, which counts as white space.
  const text = start.toString().trimStart();
  if (text.startsWith('[')) {
    throw new FileRefused('line 1: a JSON array can’t be read: JSON Lines has one object on each line');
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

async function* readCsv(blocks: AsyncIterable<Buffer>): AsyncGenerator<SourceRecord | Rejection> {
  let isUnclosed = false;
  async function* untilUnclosed(): AsyncGenerator<Buffer> {
    for await (const block of blocks) {
      if (isUnclosed) return;
      yield block;
    }
  }
  const parser = parse({
    bom: true,
    info: true,
    max_record_size: MAX_RECORD,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    // A stray quote belongs to the value, which is validated later.
    relax_quotes: true,
    skip_empty_lines: true,
    // An error would discard the rows that are parsed and not read yet.
    skip_records_with_error: true,
    on_skip() {
      isUnclosed = true;
    },
  });
  // The loop below throws the same error.
  pipeline(Readable.from(untilUnclosed()), parser).catch(() => undefined);
  let header: string[] | undefined;
  let line = 0;
  const records: AsyncIterable<{ record: string[]; info: { lines: number } }> = parser;
  for await (const { record, info } of records) {
    const start = info.lines - record.reduce((count, field) => count + field.split('\n').length - 1, 0);
    line = info.lines;
    if (header === undefined) header = readHeader(record);
    else if (record.length === header.length) yield { line: start, values: valuesOf(header, record) };
    else yield { line: start, reason: `has ${record.length} fields, the header has ${header.length}` };
  }
  if (!isUnclosed) return;
  const reason = `a quote is not closed within ${MAX_RECORD} bytes; the rest of the file is not read`;
  yield { line: line + 1, reason };
}

function readHeader(record: string[]): string[] {
  const header = record.map((name) => name.trim().toLowerCase());
  const twice = header.find((name, i) => header.indexOf(name) !== i);
  if (twice !== undefined) throw new FileRefused(`line 1: the header has the column ${JSON.stringify(twice)} twice`);
  if (!header.includes('email')) throw new FileRefused('line 1: the header has no column email');
  if (!DIGEST_COLUMNS.some((name) => header.includes(name))) {
    throw new FileRefused(`line 1: the header has none of the columns ${DIGEST_COLUMNS.join(', ')}`);
  }
  return header;
}

/** An empty field of CSV means `null`. */
function valuesOf(header: string[], record: string[]): { [column: string]: unknown } {
  return Object.fromEntries(header.map((name, i) => [name, record[i] || null]));
}
