import { mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Reply, Request } from './send.js';

/** A request and its reply, as a contract test had them, under the name that docs/api.md has for them. */
export type Exchange = { example: string; request: Request; reply: Reply };

/** Most exchanges are no example. */
export type RecordedExchange = Omit<Exchange, 'example'> & { example?: string | undefined };

const CONTRACT_TESTS = fileURLToPath(new URL('../operations/', import.meta.url));
/** What the last run of each test left: `npm run record` makes it complete. */
const RECORDS = fileURLToPath(new URL('../../node_modules/.cache/recorded/', import.meta.url));

const files: { exchanges?: number; log?: number } = {};

function append(kind: keyof typeof files, text: string): void {
  mkdirSync(RECORDS, { recursive: true });
  files[kind] ??= open(`${RECORDS}${basename(process.argv[1] ?? '')}.${kind}`);
  writeSync(files[kind], text);
}

/** A test that fails leaves no record: it would be taken for complete. */
function open(file: string): number {
  process.once('exit', (code) => {
    if (code !== 0) rmSync(file, { force: true });
  });
  return openSync(file, 'w');
}

export function record(exchange: RecordedExchange): void {
  append('exchanges', `${JSON.stringify(exchange)}\n`);
}

/** Where the log of a service goes that a test does not read. */
export const recordedLog = { write: (line: string) => append('log', line) };

/** The exchanges that contract tests had in their last run, and the log of their services. */
export async function readRecords(tests?: string[]): Promise<{ exchanges: RecordedExchange[]; log: string }> {
  const names = tests ?? (await readdir(CONTRACT_TESTS));
  const read = (kind: string) => Promise.all(names.map((name) => readFile(`${RECORDS}${name}.${kind}`, 'utf8')));
  const exchanges = (await read('exchanges')).join('').trim().split('\n');
  return { exchanges: exchanges.map((line) => JSON.parse(line)), log: (await read('log')).join('') };
}
