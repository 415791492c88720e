import { createWriteStream, fstatSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { IoFailure } from '../errors/io-failure.js';

let stream: Writable | undefined;

/**
 * Writes to standard output, and waits until it is written.
 *
 * @returns whether somebody reads it: false after the end of a `head`
 * @throws IoFailure, such as on a full disk; console.log ignores it
 */
export async function print(text: string): Promise<boolean> {
  stream ??= openStandardOutput();
  const to = stream;
  const failure = await new Promise<Error | null | undefined>((resolve) => to.write(text, resolve));
  if (!failure) return true;
  if ('code' in failure && failure.code === 'EPIPE') return false;
  throw new IoFailure('standard output can’t be written to', failure);
}

/** On a file, process.stdout takes a write that a full disk has cut off for a whole one. */
function openStandardOutput(): Writable {
  const { stdout } = process;
  const opened = fstatSync(stdout.fd).isFile() ? createWriteStream('', { fd: stdout.fd, autoClose: false }) : stdout;
  // The callback of the write gets it too.
  return opened.on('error', () => {});
}
