/** A row of the file, by the names of its columns. An empty cell of CSV is an empty string. */
export type SourceRecord = { line: number; values: { [column: string]: unknown } };
/** A row of a file with a header, which is the first one. */
export type Fields = { line: number; fields: string[] };
/** A row that can't be read or stored, with the columns that it can be imported again by. */
export type Rejection = { line: number; reason: string; [column: string]: unknown };

/** Bytes of a line, and of a row of several lines; a user's row has a few hundred. */
export const MAX_LINE = 65_536;
export const MAX_RECORD = 2 * MAX_LINE;
