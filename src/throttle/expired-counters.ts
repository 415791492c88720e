import type { ThrottleCounters } from '../database/throttle-counters.js';
import { type Budgets, rulesOf } from './rules.js';

/** Milliseconds. */
const EVERY = 10 * 60 * 1_000;

/**
 * Counters of one budget: some 330 MB. A flood of failures may make more until the next sweep. Then those that lock nobody
 * out go, the oldest first: a guesser gains less than the failures that it takes to push a counter out.
 */
const MOST_COUNTERS = 1_000_000;

/** Sweeps the counters every ten minutes. */
export function expiredCountersTask(counters: ThrottleCounters, budgets: Budgets, now: () => number) {
  return {
    every: EVERY,
    failure: 'expired counters are still there',
    run: (signal: AbortSignal) => sweepCounters(counters, budgets, now(), { signal }),
  };
}

/**
 * Removes expired counters, and those beyond the cap.
 *
 * @param options.most - counters of a budget
 * @param options.signal - ends it early
 */
export async function sweepCounters(
  counters: ThrottleCounters,
  budgets: Budgets,
  now: number,
  { most = MOST_COUNTERS, signal }: { most?: number; signal?: AbortSignal } = {},
): Promise<void> {
  while (!signal?.aborted && (await counters.removeExpired(now)) > 0);
  for (const { prefix, lifetime, limit } of rulesOf(budgets)) {
    // Cheaper than to count the budget's own.
    if ((await counters.countUntil(now + lifetime)) <= most) continue;
    let surplus = (await counters.countOf({ prefix, limit })) - most;
    while (surplus > 0 && !signal?.aborted) {
      const removed = await counters.trim({ prefix, limit }, surplus);
      if (removed === 0) break;
      surplus -= removed;
    }
  }
}
