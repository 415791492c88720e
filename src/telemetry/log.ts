import { type Logger, pino } from 'pino';

export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

/**
 * JSON lines; on a terminal, lines for people.
 *
 * @param stream - in place of standard output
 */
export async function createLog(level: LogLevel, stream?: { write(line: string): void }): Promise<Logger> {
  const options = { level, serializers: { err: describeError } };
  if (stream) return pino(options, stream);
  if (!process.stdout.isTTY) return pino(options);
  const { default: pretty } = await import('pino-pretty');
  return pino(options, pretty({ ignore: 'pid,hostname', singleLine: true, sync: true }));
}

/** No other members: drivers attach query parameters to their errors. */
function describeError({ name, message, stack }: Error) {
  return { type: name, message, stack: stack ?? '' };
}
