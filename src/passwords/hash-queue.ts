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
};

export type HashQueueOptions = {
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
   * @throws Overloaded at the deadline; ClientGone
   */
  run<T>(task: () => Promise<T>, waiter?: Waiter, memory?: number): Promise<T>;
  /** How many tasks run, and how many wait for a slot. */
  load(): { running: number; waiting: number };
};

type Waiting = { memory: number; start: () => void };

/** Limits how many hashes run at once, and their memory. The others wait in their order. */
export function createHashQueue(
  { slots, maxMemory = Number.POSITIVE_INFINITY }: HashQueueLimits,
  { onHashed, observe = (_name, run) => run() }: HashQueueOptions = {},
): HashQueue {
  // No Set: its outgrown hash tables keep requests alive until the old generation is collected.
  let queue: Waiting[] = [];
  let running = 0;
  let memoryInUse = 0;

  function fits(memory: number): boolean {
    return running === 0 || (running < slots && memoryInUse + memory <= maxMemory);
  }

  function take(memory: number): void {
    running += 1;
    memoryInUse += memory;
  }

  /** In order: a large task would wait for ever if small ones overtook it. */
  function startNext(): void {
    for (let next = queue[0]; next && fits(next.memory); next = queue[0]) {
      queue.shift();
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
        // A busy turn of the event loop ends hashes before it runs the timer.
        if (waiter && waiter.deadline.remaining() <= 0) return reject(new Overloaded());
        take(memory);
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

  async function runInSlot<T>(task: () => Promise<T>, memory: number, waiter?: Waiter): Promise<T> {
    const arrived = performance.now();
    if (waiter?.hasHungUp()) throw new ClientGone();
    if (waiter && waiter.deadline.remaining() <= 0) throw new Overloaded();
    if (queue.length === 0 && fits(memory)) take(memory);
    else await waitForSlot(memory, waiter);
    const started = performance.now();
    try {
      return await observe('hash', task);
    } finally {
      const took = performance.now() - started;
      waiter?.deadline.extend(took);
      running -= 1;
      memoryInUse -= memory;
      startNext();
      onHashed?.({ waited: started - arrived, took });
    }
  }

  return {
    run: (task, waiter, memory = 0) => observe('hash queue', () => runInSlot(task, memory, waiter)),
    load: () => ({ running, waiting: queue.length }),
  };
}
