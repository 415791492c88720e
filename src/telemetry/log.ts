import { type Logger, pino } from 'pino';
import type { LogLevel } from './log-level.js';
import { createLogStream, type LogStream } from './log-stream.js';

/**
 * JSON lines; on a terminal, lines for people.
 *
 * @param stream - in place of standard output
 * @param onDropped - called for each line that could not be written
 */
export async function createLog(level: LogLevel, stream?: LogStream, onDropped?: () => void): Promise<Logger> {
  const options = { level, serializers: { err: describeError } };
  if (stream) return pino(options, stream);
  // Node opens a pipe as one that does not block.
  const { isTTY, fd } = process.stdout;
  if (!isTTY) return pino(options, createLogStream(fd, onDropped));
  const { default: pretty } = await import('pino-pretty');
  return pino(options, pretty({ ignore: 'pid,hostname', singleLine: true, sync: true }));
}

/** No other members: drivers attach query parameters to their errors. */
function describeError({ name, message, stack }: Error) {
  return { type: name, message, stack: stack ?? '' };
}
