import { availableParallelism } from 'node:os';

/** libuv's own, where nothing else is said. */
const DEFAULT_THREADS = 4;

/**
 * Gives libuv's pool, whose threads hash, one for each core, unless UV_THREADPOOL_SIZE says otherwise. It has to come before
 * the pool is first used; in Node.js 20 that is before any code of ours runs.
 */
export function sizeThreadPool(env: NodeJS.ProcessEnv): void {
  if (Number.parseInt(process.versions.node, 10) > 20) env.UV_THREADPOOL_SIZE ||= String(availableParallelism());
}

/**
 * How many hashes to give to the pool. No more than there are cores are made at once: where there is a thread for each,
 * one more is at hand in the pool, as the event loop takes a moment to hand over the next, in which a core would idle.
 */
export function hashesForPool({ UV_THREADPOOL_SIZE }: NodeJS.ProcessEnv): number {
  // What it can't read as a number is one thread to libuv.
  const threads = UV_THREADPOOL_SIZE === undefined ? DEFAULT_THREADS : Number.parseInt(UV_THREADPOOL_SIZE, 10) || 1;
  return threads <= availableParallelism() ? threads + 1 : availableParallelism();
}
