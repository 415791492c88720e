import { availableParallelism } from 'node:os';

/** libuv's default. */
const DEFAULT_THREADS = 4;

/**
 * Sizes libuv's pool, whose threads hash: one thread a core, unless UV_THREADPOOL_SIZE is set. Must run before the pool's
 * first use; in Node.js 20 that is before any code of ours.
 */
export function sizeThreadPool(env: NodeJS.ProcessEnv): void {
  if (Number.parseInt(process.versions.node, 10) > 20) env.UV_THREADPOOL_SIZE ||= String(availableParallelism());
}

/**
 * How many hashes to give to the pool. Where it has no more threads than cores, one more waits in it: until the event loop
 * hands over the next, a core would idle.
 */
export function hashesForPool({ UV_THREADPOOL_SIZE }: NodeJS.ProcessEnv): number {
  // libuv takes what is not a number for one thread.
  const threads = UV_THREADPOOL_SIZE === undefined ? DEFAULT_THREADS : Number.parseInt(UV_THREADPOOL_SIZE, 10) || 1;
  return threads <= availableParallelism() ? threads + 1 : availableParallelism();
}
