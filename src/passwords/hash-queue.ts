import { ClientGone } from '../errors/client-gone.js';
import type { Deadline } from '../errors/deadline.js';
import { Overloaded } from '../errors/overloaded.js';

/** Who waits for a hash. */
export type Waiter = {
  /** Ends the wait for a slot. The hash itself does not count. */
  deadline: Deadline;
  hasHungUp(): boolean;
  /** Returns a function that removes the listener. */
  onHangUp(listener: () => void): () => void;
};

export type HashQueueLimits = {
  /** Hashes that run at once. */
  slots: number;
  /** Hashes that wait for a slot. */
  maxQueue: number;
  /** Milliseconds that a hash may be expected to wait. */
  maxWait: number;
};

export type HashQueueOptions = {
  /** Milliseconds, from any beginning. */
  now?: () => number;
  /** Told in milliseconds how long a hash waited and how long it took. */
  onHashed?: ((times: { waited: number; took: number }) => void) | undefined;
  /** Runs a step by its name, for traces. */
  observe?: (<T>(name: string, run: () => Promise<T>) => Promise<T>) | undefined;
};

export type HashQueue = {
  /**
   * Runs a task that hashes as soon as there is a slot for it.
   *
   * @param waiter - leaves the queue by hanging up, or at its deadline; a task that runs goes on, and keeps its slot
   * @throws Overloaded at once, where the task would have to wait too long, or at the deadline; ClientGone
   */
  run<T>(task: () => Promise<T>, waiter?: Waiter): Promise<T>;
  /** How many tasks run, and how many wait for a slot. */
  load(): { running: number; waiting: number };
};

/** Weight of the last task in the mean duration. */
const WEIGHT_OF_LAST = 0.1;

/** Limits how many hashes run at once and how many are queued: what can't be answered in time is refused at once. */
export function createHashQueue(
  { slots, maxQueue, maxWait }: HashQueueLimits,
  { now = () => performance.now(), onHashed, observe = (_name, run) => run() }: HashQueueOptions = {},
): HashQueue {
  // No Set: its outgrown hash tables keep requests alive until the old generation is collected.
  let queue: (() => void)[] = [];
  let running = 0;
  let meanDuration = 0;

  function expectedWait(): number {
    return running < slots ? 0 : ((queue.length + 1) * meanDuration) / slots;
  }

  function waitForSlot(waiter?: Waiter): Promise<void> {
    return new Promise((resolve, reject) => {
      const stopWaiting = () => {
        stopListening?.();
        clearTimeout(timer);
      };
      const start = () => {
        stopWaiting();
        resolve();
      };
      const leave = (error: Error) => {
        queue = queue.filter((waiting) => waiting !== start);
        stopWaiting();
        reject(error);
      };
      const stopListening = waiter?.onHangUp(() => leave(new ClientGone()));
      const timer = waiter && setTimeout(() => leave(new Overloaded()), waiter.deadline.remaining());
      queue.push(start);
    });
  }

  /** Hands the slot to the task that has waited longest. */
  function releaseSlot(): void {
    const next = queue.shift();
    if (next) next();
    else running -= 1;
  }

  /** Returns a promise where there is no free slot. */
  function takeSlot(waiter?: Waiter): Promise<void> | undefined {
    if (waiter?.hasHungUp()) throw new ClientGone();
    if (running < slots) {
      running += 1;
      return undefined;
    }
    const wait = expectedWait();
    const longest = Math.min(maxWait, waiter?.deadline.remaining() ?? maxWait);
    if (queue.length >= maxQueue || wait > longest) throw new Overloaded(Math.max(1, Math.ceil(wait / 1000)));
    return waitForSlot(waiter);
  }

  async function runInSlot<T>(task: () => Promise<T>, waiter?: Waiter): Promise<T> {
    const arrived = now();
    const slot = takeSlot(waiter);
    if (slot) await slot;
    const started = now();
    try {
      return await observe('hash', task);
    } finally {
      const took = now() - started;
      waiter?.deadline.extend(took);
      meanDuration = meanDuration === 0 ? took : meanDuration + WEIGHT_OF_LAST * (took - meanDuration);
      releaseSlot();
      onHashed?.({ waited: started - arrived, took });
    }
  }

  return {
    run: (task, waiter) => observe('hash queue', () => runInSlot(task, waiter)),
    load: () => ({ running, waiting: queue.length }),
  };
}
