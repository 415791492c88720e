export type Backlog = {
  /** Runs a task later, in its order. */
  add(task: () => void): void;
  /** Leaves this turn of the event loop to others. */
  pause(): void;
};

/** Milliseconds of a turn of the event loop. */
const SHARE = 5;
/** Milliseconds after which tasks get their share all the same. */
const LONGEST_PAUSE = 50;

/** Runs no more tasks in a turn of the event loop than leaves room for what has just arrived. */
export function createBacklog(): Backlog {
  const tasks: (() => void)[] = [];
  let scheduled = false;
  let paused = false;
  let end = 0;

  function runTurn(): void {
    const now = performance.now();
    if (!paused || now > end + LONGEST_PAUSE) end = now + SHARE;
    paused = false;
    runNext();
  }

  function runNext(): void {
    const task = performance.now() < end ? tasks.shift() : undefined;
    if (task) {
      // After the promises that the task leaves, which are most of its work.
      queueMicrotask(() => process.nextTick(runNext));
      task();
    } else if (tasks.length > 0) setImmediate(runTurn);
    else scheduled = false;
  }

  return {
    add(task) {
      tasks.push(task);
      if (!scheduled) setImmediate(runTurn);
      scheduled = true;
    },
    pause() {
      paused = true;
    },
  };
}
