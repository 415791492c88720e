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
  /** Bytes of hashes that run at once; a hash that needs more runs alone. */
  maxMemory?: number;
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
   * Runs a task that hashes as soon as there is a slot for it, and memory.
   *
   * @param waiter - leaves the queue by hanging up, or at its deadline; a task that runs goes on, and keeps its slot
   * @param memory - bytes that the task takes
   * @throws Overloaded at once, where the task would have to wait too long, or at the deadline; ClientGone
   */
  run<T>(task: () => Promise<T>, waiter?: Waiter, memory?: number): Promise<T>;
  /** How many tasks run, and how many wait for a slot. */
  load(): { running: number; waiting: number };
};

/** Weight of the last task in the mean duration. */
const WEIGHT_OF_LAST = 0.1;

type Waiting = { memory: number; start: () => void };

/** Limits how many hashes run at once, their memory, and how many are queued: what can't be answered in time is refused at once. */
export function createHashQueue(
  { slots, maxMemory = Number.POSITIVE_INFINITY, maxQueue, maxWait }: HashQueueLimits,
  { now = () => performance.now(), onHashed, observe = (_name, run) => run() }: HashQueueOptions = {},
): HashQueue {
  // No Set: its outgrown hash tables keep requests alive until the old generation is collected.
  let queue: Waiting[] = [];
  let running = 0;
  let memoryInUse = 0;
  let meanDuration = 0;

  function fits(memory: number): boolean {
    return running === 0 || (running < slots && memoryInUse + memory <= maxMemory);
  }

  function take(memory: number): void {
    running += 1;
    memoryInUse += memory;
  }

  /** Of a task with this memory. Each task occupies all slots for the mean duration, divided by how many like it fit. */
  function expectedWait(memory: number): number {
    const shareOf = (bytes: number) => 1 / Math.max(1, Math.min(slots, Math.floor(maxMemory / bytes)));
    return queue.reduce((sum, waiting) => sum + shareOf(waiting.memory), shareOf(memory)) * meanDuration;
  }

  /** In order: a large task would wait for ever if small ones overtook it. */
  function startNext(): void {
    for (let next = queue[0]; next && fits(next.memory); next = queue[0]) {
      queue.shift();
      take(next.memory);
      next.start();
    }
  }

  function waitForSlot(memory: number, waiter?: Waiter): Promise<void> {
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
        queue = queue.filter((waiting) => waiting.start !== start);
        stopWaiting();
        reject(error);
        // Those behind a large task may fit.
        startNext();
      };
      const stopListening = waiter?.onHangUp(() => leave(new ClientGone()));
      const timer = waiter && setTimeout(() => leave(new Overloaded()), waiter.deadline.remaining());
      queue.push({ memory, start });
    });
  }

  function releaseSlot(memory: number): void {
    running -= 1;
    memoryInUse -= memory;
    startNext();
  }

  /** Returns a promise where the task has to wait. */
  function takeSlot(memory: number, waiter?: Waiter): Promise<void> | undefined {
    if (waiter?.hasHungUp()) throw new ClientGone();
    if (queue.length === 0 && fits(memory)) {
      take(memory);
      return undefined;
    }
    const wait = expectedWait(memory);
    const longest = Math.min(maxWait, waiter?.deadline.remaining() ?? maxWait);
    if (queue.length >= maxQueue || wait > longest) throw new Overloaded(Math.max(1, Math.ceil(wait / 1000)));
    return waitForSlot(memory, waiter);
  }

  async function runInSlot<T>(task: () => Promise<T>, memory: number, waiter?: Waiter): Promise<T> {
    const arrived = now();
    const slot = takeSlot(memory, waiter);
    if (slot) await slot;
    const started = now();
    try {
      return await observe('hash', task);
    } finally {
      const took = now() - started;
      waiter?.deadline.extend(took);
      meanDuration = meanDuration === 0 ? took : meanDuration + WEIGHT_OF_LAST * (took - meanDuration);
      releaseSlot(memory);
      onHashed?.({ waited: started - arrived, took });
    }
  }

  return {
    run: (task, waiter, memory = 0) => observe('hash queue', () => runInSlot(task, memory, waiter)),
    load: () => ({ running, waiting: queue.length }),
  };
}
