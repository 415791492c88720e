/** Milliseconds. */
const EVERY = 60 * 60 * 1_000;
/** Milliseconds for which an expired row is kept: the clocks of instances differ. */
const KEPT_FOR = 60 * 60 * 1_000;

type ExpiringRows = {
  /** Removes some rows that had expired by then, and returns how many. */
  removeExpired(before: number): Promise<number>;
};

/** Removes expired rows, every hour. */
export function expiredRowsTask(what: string, rows: ExpiringRows, now: () => number) {
  return {
    every: EVERY,
    failure: `expired ${what} are still there`,
    async run(signal: AbortSignal) {
      while (!signal.aborted && (await rows.removeExpired(now() - KEPT_FOR)) > 0);
    },
  };
}
