import { type Client, ClientGone } from '../contract/client.js';

/** Too much is waiting already. */
export class Overloaded extends Error {
  constructor(readonly retryAfterSeconds: number) {
    super('the queue is full, or the wait too long');
  }
}

type Waiting = Pick<Client, 'hasHungUp' | 'onHangUp'>;

export type AdmissionLimits = {
  /** Tasks that run at once. */
  slots: number;
  /** Tasks that wait for a slot. */
  maxQueue: number;
  /** Milliseconds that a task may be expected to wait. */
  maxWait: number;
};

export type Admission = {
  /**
   * Runs a task as soon as there is a slot for it.
   *
   * @param client - leaves the queue by hanging up; a task that runs goes on, and keeps its slot
   * @throws Overloaded at once, where the task would have to wait too long; ClientGone
   */
  run<T>(task: () => Promise<T>, client?: Waiting): Promise<T>;
  /** How many tasks run, and how many wait for a slot. */
  load(): { running: number; waiting: number };
};

/** How much the last task counts in the mean of how long a task takes. */
const WEIGHT_OF_LAST = 0.1;

/**
 * Bounds how much runs at once and how much waits: what can't be answered in time is better refused at once.
 *
 * @param now - milliseconds, from any beginning
 */
export function createAdmission(
  { slots, maxQueue, maxWait }: AdmissionLimits,
  now: () => number = () => performance.now(),
): Admission {
  // No Set: each that has been outgrown keeps the requests alive that it held, until the old generation is collected.
  let queue: (() => void)[] = [];
  let running = 0;
  let meanDuration = 0;

  function expectedWait(): number {
    return running < slots ? 0 : ((queue.length + 1) * meanDuration) / slots;
  }

  function waitForSlot(client?: Waiting): Promise<void> {
    return new Promise((resolve, reject) => {
      const start = () => {
        stopListening?.();
        resolve();
      };
      const stopListening = client?.onHangUp(() => {
        queue = queue.filter((waiting) => waiting !== start);
        reject(new ClientGone());
      });
      queue.push(start);
    });
  }

  /** Hands the slot to the task that has waited longest. */
  function releaseSlot(): void {
    const next = queue.shift();
    if (next) next();
    else running -= 1;
  }

  return {
    async run(task, client) {
      if (client?.hasHungUp()) throw new ClientGone();
      if (running < slots) {
        running += 1;
      } else {
        const wait = expectedWait();
        if (queue.length >= maxQueue || wait > maxWait) throw new Overloaded(Math.max(1, Math.ceil(wait / 1000)));
        await waitForSlot(client);
      }
      const started = now();
      try {
        return await task();
      } finally {
        const duration = now() - started;
        meanDuration = meanDuration === 0 ? duration : meanDuration + WEIGHT_OF_LAST * (duration - meanDuration);
        releaseSlot();
      }
    },
    load: () => ({ running, waiting: queue.length }),
  };
}
