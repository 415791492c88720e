import { type Fields, MAX_RECORD, type Rejection } from './source-record.js';

const BYTE_ORDER_MARK = '\ufeff';

/** What a letter after a backslash stands for; any other character stands for itself. NULL is an empty cell. */
const ESCAPES = new Map([
  ['0', '\0'],
  ['b', '\b'],
  ['n', '\n'],
  ['N', ''],
  ['r', '\r'],
  ['t', '\t'],
  ['Z', '\x1a'],
]);

/**
 * Reads the text that MySQL's `INTO OUTFILE`, `mysqldump --tab` and `mysql --batch` write, and PostgreSQL's COPY: a tab between
 * the columns, no quotes, and a backslash before a tab, a line break or a letter. csv-parse knows escapes between quotes only.
 */
export async function* readTabSeparated(blocks: AsyncIterable<Buffer>): AsyncGenerator<Fields | Rejection> {
  let line = 1;
  let row = beginRow(line);
  let isEscaped = false;
  for await (const block of blocks) {
    for (const character of block.toString()) {
      if (character === '\n') line += 1;
      if (isEscaped) {
        append(row, ESCAPES.get(character) ?? character);
        isEscaped = false;
      } else if (character === '\\') {
        isEscaped = true;
      } else if (character === '\t') {
        endField(row);
      } else if (character === '\n') {
        yield* endRow(row);
        row = beginRow(line);
      } else if (character !== BYTE_ORDER_MARK) {
        append(row, character);
      }
    }
  }
  yield* endRow(row);
}

type Row = Fields & { field: string; size: number };

function beginRow(line: number): Row {
  return { line, fields: [], field: '', size: 0 };
}

/** A row that never ends takes no memory. */
function append(row: Row, text: string): void {
  row.size += 1;
  if (row.size <= MAX_RECORD) row.field += text;
}

function endField(row: Row): void {
  row.size += 1;
  if (row.size <= MAX_RECORD) row.fields.push(row.field);
  row.field = '';
}

function* endRow({ line, fields, field, size }: Row): Generator<Fields | Rejection> {
  const last = field.endsWith('\r') ? field.slice(0, -1) : field;
  if (size > MAX_RECORD) yield { line, reason: `the row is longer than ${MAX_RECORD} characters` };
  else if (fields.length > 0 || last !== '') yield { line, fields: [...fields, last] };
}
