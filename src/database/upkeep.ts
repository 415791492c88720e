import type { FastifyInstance } from 'fastify';

/**
 * Runs a task again and again while the service is open, and waits for the last one when it closes.
 *
 * @param every - milliseconds
 * @param failure - what a failure means, for the log
 * @param task - its signal aborts when the service closes
 * @returns a function that runs the task now
 */
export function repeat(
  app: FastifyInstance,
  every: number,
  failure: string,
  task: (signal: AbortSignal) => Promise<void>,
): () => void {
  const closing = new AbortController();
  let running = Promise.resolve();
  const run = () => {
    running = task(closing.signal).catch((err) => app.log.warn({ err }, failure));
  };
  const timer = setInterval(run, every).unref();
  app.addHook('onClose', () => {
    clearInterval(timer);
    closing.abort();
    return running;
  });
  return run;
}
