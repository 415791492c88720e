import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { read } from 'read';
import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { decodeUtf8 } from '../../text/utf8.js';

/** Reads a new password: on a terminal hidden and twice, else from one line of standard input. */
export function readPassword(): Promise<string> {
  return process.stdin.isTTY ? askPassword() : readLine();
}

async function askPassword(): Promise<string> {
  const password = await ask('Password: ', { silent: true });
  if ((await ask('Again: ', { silent: true })) !== password)
    throw new ExpectedError('the two passwords differ', EXIT.DATAERR);
  return password;
}

async function readLine(): Promise<string> {
  let bytes = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    bytes = Buffer.concat([bytes, chunk]);
    const end = bytes.indexOf('\n');
    if (end !== -1 && end < bytes.length - 1)
      throw new ExpectedError('standard input has more than one line', EXIT.DATAERR);
  }
  const text = decodeUtf8(bytes);
  if (text === undefined) throw new ExpectedError('password is not valid UTF-8', EXIT.DATAERR);
  return text.replace(/\r?\n$/, '');
}

/**
 * Asks on standard error: standard output is for the result.
 *
 * @throws ExpectedError at Ctrl-C and Ctrl-D
 */
export async function ask(prompt: string, { silent = false } = {}): Promise<string> {
  // At Ctrl-D readline closes, and read() never settles. It also closes after an answer, which comes first.
  const closed = once(process.stdin, 'pause').then(() => setImmediate(undefined));
  const answer = read({ prompt, silent, output: process.stderr }).catch(() => undefined);
  const text = await Promise.race([answer, closed]);
  if (silent || text === undefined) process.stderr.write('\n');
  if (text === undefined) throw new ExpectedError('canceled', EXIT.FAILED);
  return text;
}
