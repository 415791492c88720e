import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { ExpectedError } from '../../../errors/expected-error.js';

/** A row as the file has it, by the names of its columns; a column that the file does not have is not there. */
export type SourceRecord = { line: number; values: { [column: string]: unknown } };
/** A row that can't be read, or not be stored. Of its values there are only those that tell which user it is. */
export type Rejection = { line: number; reason: string; id?: unknown; email?: unknown };

/** The file as a whole can't be read; nothing of it has been stored. */
export class FileRefused extends ExpectedError {}

/** Bytes of a line, and of a row that a quoted line break divides; a user's row has a few hundred. */
const MAX_LINE = 65_536;
const MAX_RECORD = 2 * MAX_LINE;

const NEWLINE = 0x0a;
const OPENING_BRACE = 0x7b;
const OPENING_BRACKET = 0x5b;
const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
const UTF_16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];

/** By CSV's and Django's, Devise's and Rails' names: of these, the first that a file has is the digest. */
export const DIGEST_COLUMNS = ['password_digest', 'encrypted_password', 'password'];

/**
 * Reads CSV with a header (RFC 4180), or JSON Lines, told apart by the first character. Memory does not grow with the
 * file, nor with a line.
 *
 * @throws FileRefused
 */
export async function* readRecords(source: AsyncIterable<Buffer>): AsyncGenerator<SourceRecord | Rejection> {
  const tooLong: Rejection[] = [];
  const blocks = wholeLines(source, (line) => {
    tooLong.push({ line, reason: `the line is longer than ${MAX_LINE} bytes` });
  });
  const { value: first, done } = await blocks.next();
  if (!done) {
    const start = withoutMark(first);
    const all = startingWith(start, blocks);
    const firstByte = start.find((byte) => byte > 0x20);
    if (firstByte === OPENING_BRACKET) {
      throw new FileRefused('line 1: a JSON array can’t be read: JSON Lines has one object on each line');
    }
    for await (const record of firstByte === OPENING_BRACE ? readJsonLines(all) : readCsv(all)) {
      yield record;
      yield* tooLong.splice(0);
    }
  }
  yield* tooLong;
}

function withoutMark(block: Buffer): Buffer {
  if (UTF_16_MARKS.some((mark) => block.subarray(0, mark.length).equals(mark))) {
    throw new FileRefused('line 1: the file is in UTF-16; it has to be in UTF-8');
  }
  const marked = block.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
  return marked ? block.subarray(BYTE_ORDER_MARK.length) : block;
}

async function* startingWith(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

/** Cuts a stream into blocks that end with a line's end. Of a line that is too long, its end alone is left. */
async function* wholeLines(
  source: AsyncIterable<Buffer>,
  onTooLong: (line: number) => void,
): AsyncGenerator<Buffer, undefined> {
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
      onTooLong(line);
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
    // What follows the last line's end is no line.
    if (texts.at(-1) === '') texts.pop();
    for (const text of texts) {
      line += 1;
      if (text.trim() !== '') yield readJson(line, text);
    }
  }
}

function readJson(line: number, text: string): SourceRecord | Rejection {
  try {
    const values: unknown = JSON.parse(text);
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
    info: true,
    max_record_size: MAX_RECORD,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    // A quote where none may be is one of the value's letters: what the row is worth is seen when it is checked.
    relax_quotes: true,
    skip_empty_lines: true,
    // Thrown, a fault would take the rows with it that wait to be read.
    skip_records_with_error: true,
    on_skip() {
      isUnclosed = true;
    },
  });
  // Its errors are the parser's too, and so the loop's.
  pipeline(Readable.from(untilUnclosed()), parser).catch(() => undefined);
  let header: string[] | undefined;
  let line = 0;
  for await (const { record, info } of parser as AsyncIterable<{ record: string[]; info: { lines: number } }>) {
    const start = info.lines - record.reduce((count, field) => count + field.split('\n').length - 1, 0);
    line = info.lines;
    if (header === undefined) header = readHeader(record);
    else if (record.length === header.length) yield { line: start, values: valuesOf(header, record) };
    else yield { line: start, reason: `has ${record.length} fields, the header ${header.length}` };
  }
  if (!isUnclosed) return;
  const reason = `a quote is opened and not closed within ${MAX_RECORD} bytes; nothing from here on is read`;
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

/** An empty field of CSV is what `null` is in JSON. */
function valuesOf(header: string[], record: string[]): { [column: string]: unknown } {
  return Object.fromEntries(header.map((name, i) => [name, record[i] || null]));
}
