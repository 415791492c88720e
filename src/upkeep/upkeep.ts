import fp from 'fastify-plugin';

export type Task = {
  /** Milliseconds. */
  every: number;
  /** What a failure means, for the log. */
  failure: string;
  /** @param closing - aborts when the service closes */
  run(closing: AbortSignal): Promise<void>;
};

/** Runs each task at the start and again at intervals. Closing waits for what runs. */
export const upkeepPlugin = fp<{ tasks: Task[] }>(
  async (app, { tasks }) => {
    const closing = new AbortController();
    for (const { every, failure, run } of tasks) {
      let running = Promise.resolve();
      const start = () => {
        running = run(closing.signal).catch((err) => app.log.warn({ err }, failure));
      };
      const timer = setInterval(start, every).unref();
      app.addHook('onReady', async () => start());
      app.addHook('onClose', () => {
        clearInterval(timer);
        closing.abort();
        return running;
      });
    }
  },
  { name: 'upkeep' },
);
