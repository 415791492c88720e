import type { FastifyServerOptions } from 'fastify';

/** JSON lines; on a terminal, lines for people. */
export async function createLogger(level: string): Promise<FastifyServerOptions['logger']> {
  const options = { level, serializers: { err: describeError } };
  if (!process.stdout.isTTY) return options;
  const { default: pretty } = await import('pino-pretty');
  return { ...options, stream: pretty({ ignore: 'pid,hostname', singleLine: true, sync: true }) };
}

/** No more than this: drivers attach the query's parameters to their errors. */
function describeError({ name, message, stack }: Error) {
  return { type: name, message, stack: stack ?? '' };
}
