/** Milliseconds of a turn of the event loop. */
const SHARE = 5;

/**
 * Makes a function that runs a task later, in its order, and no more of them in a turn of the event loop than leaves room for
 * what has just arrived.
 */
export function createBacklog(): (task: () => void) => void {
  const tasks: (() => void)[] = [];
  let scheduled = false;

  function run(): void {
    scheduled = false;
    const end = performance.now() + SHARE;
    for (let task = tasks.shift(); task; task = performance.now() < end ? tasks.shift() : undefined) task();
    if (tasks.length > 0) schedule();
  }

  function schedule(): void {
    if (!scheduled) setImmediate(run);
    scheduled = true;
  }

  return (task) => {
    tasks.push(task);
    schedule();
  };
}
