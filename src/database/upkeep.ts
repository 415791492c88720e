import type { FastifyInstance } from 'fastify';

/**
 * Runs a task again and again while the service is open, and waits for the last one when it closes.
 *
 * @param every - milliseconds
 * @param failure - what a failure means, for the log
 * @returns a function that runs the task now
 */
export function repeat(app: FastifyInstance, every: number, failure: string, task: () => Promise<void>): () => void {
  let running = Promise.resolve();
  const run = () => {
    running = task().catch((err) => app.log.warn({ err }, failure));
  };
  const timer = setInterval(run, every).unref();
  app.addHook('onClose', () => {
    clearInterval(timer);
    return running;
  });
  return run;
}
