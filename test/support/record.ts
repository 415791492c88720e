import { appendFileSync } from 'node:fs';
import type { Reply, Request } from './send.js';

/** A request and its reply, as a contract test had them, under the name that docs/api.md has for them. */
export type Exchange = { example: string; request: Request; reply: Reply };

/** Most exchanges are no example. */
export type RecordedExchange = Omit<Exchange, 'example'> & { example?: string | undefined };

/** Where the log of a service goes that a test does not read: nowhere, unless LOGS_FILE names a file. */
export function logOfTests(): { write(line: string): void } | undefined {
  const file = process.env.LOGS_FILE;
  return file ? { write: (line) => appendFileSync(file, line) } : undefined;
}

/** Writes an exchange to the file that EXCHANGES_FILE names. Without it nothing is recorded. */
export function record(exchange: RecordedExchange): void {
  const file = process.env.EXCHANGES_FILE;
  if (file) appendFileSync(file, `${JSON.stringify(exchange)}\n`);
}
