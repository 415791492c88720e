import { appendFileSync } from 'node:fs';
import type { Reply, Request } from './send.js';

/** A request and its reply, as a contract test had them. */
export type Exchange = { example: string; request: Request; reply: Reply };

/** Hands an exchange to `npm run docs`, which names the file to gather them in. Without it nothing is recorded. */
export function record(exchange: Exchange): void {
  const file = process.env.EXCHANGES_FILE;
  if (file) appendFileSync(file, `${JSON.stringify(exchange)}\n`);
}
