import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { type Fields, MAX_RECORD, type Rejection } from './source-record.js';

/** Of which character separates the columns, and of a row of several lines, too. */
export const CSV = {
  bom: true,
  record_delimiter: ['\r\n', '\n'],
  relax_column_count: true,
  // A stray quote belongs to the value, which is validated later.
  relax_quotes: true,
  skip_empty_lines: true,
  // An error would discard the rows that are parsed and not read yet.
  skip_records_with_error: true,
};

/** Reads CSV (RFC 4180), with any character between the columns. */
export async function* readCsv(blocks: AsyncIterable<Buffer>, delimiter: string): AsyncGenerator<Fields | Rejection> {
  let isUnclosed = false;
  async function* untilUnclosed(): AsyncGenerator<Buffer> {
    for await (const block of blocks) {
      if (isUnclosed) return;
      yield block;
    }
  }
  const parser = parse({
    ...CSV,
    delimiter,
    info: true,
    max_record_size: MAX_RECORD,
    on_skip() {
      isUnclosed = true;
    },
  });
  // The loop below throws the same error.
  pipeline(Readable.from(untilUnclosed()), parser).catch(() => undefined);
  let line = 0;
  const records: AsyncIterable<{ record: string[]; info: { lines: number } }> = parser;
  for await (const { record, info } of records) {
    line = info.lines;
    yield { line: line - record.reduce((count, field) => count + field.split('\n').length - 1, 0), fields: record };
  }
  if (!isUnclosed) return;
  const reason = `a quote is not closed within ${MAX_RECORD} bytes; the rest of the file is not read`;
  yield { line: line + 1, reason };
}
