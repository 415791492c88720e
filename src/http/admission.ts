import { Overloaded } from '../errors/overloaded.js';

export type AdmissionLimits = {
  /** Hashes that run at once. */
  slots: number;
  /** Requests that may wait for a slot. */
  maxQueue: number;
  /** Milliseconds that a request may be expected to wait. */
  maxWait: number;
};

/** Decides which requests that hash are worth their work: what can't be answered in time is refused at once. */
export type Admission = {
  /** Why one more request is refused; undefined where it is admitted. */
  refusal(): Overloaded | undefined;
  /** Takes a place. Returns a function that frees it; further calls do nothing. */
  take(): () => void;
  /** To be told of each finished hash, and how many milliseconds it took. */
  hashed(took: number): void;
};

/** Milliseconds of load after which a finished hash counts half. */
const HALF_LIFE = 2_000;
/** Milliseconds of load that the first hash stands for. */
const SEED = 1_000;
/** Seconds. */
const LONGEST_SPREAD = 59;

/**
 * By Little's law a request waits as long as the hashes of those before it take to finish. They are counted while all
 * slots are taken, and not timed: what a busy event loop adds to the time of each does not add to the wait.
 *
 * @param now - milliseconds, from any beginning
 */
export function createAdmission(
  { slots, maxQueue, maxWait }: AdmissionLimits,
  now: () => number = () => performance.now(),
): Admission {
  let taken = 0;
  /** Hashes that finished while all slots were taken, and the milliseconds of that: both fade. */
  let finished: number | undefined;
  let loaded = 0;
  let advancedAt = now();

  function advance(): void {
    const passed = now() - advancedAt;
    advancedAt += passed;
    if (taken < slots || finished === undefined) return;
    const fading = 0.5 ** (passed / HALF_LIFE);
    finished *= fading;
    loaded = loaded * fading + passed;
  }

  /** Milliseconds in which so many hashes finish. */
  function timeFor(hashes: number): number {
    return finished === undefined ? 0 : (hashes * loaded) / finished;
  }

  return {
    refusal() {
      advance();
      const waiting = taken - slots;
      if (waiting < 0) return undefined;
      if (waiting < maxQueue && timeFor(waiting + 1) <= maxWait) return undefined;
      // Spread over the time in which those who wait are served: all at once, they would be refused again.
      const spread = Math.min(Math.ceil(timeFor(taken) / 1_000), LONGEST_SPREAD);
      return new Overloaded(1 + Math.round(Math.random() * spread));
    },
    take() {
      advance();
      taken += 1;
      let held = true;
      return () => {
        advance();
        if (held) taken -= 1;
        held = false;
      };
    },
    hashed(took) {
      advance();
      if (finished === undefined) {
        loaded = SEED;
        finished = (SEED * slots) / took;
      } else if (taken >= slots) finished += 1;
    },
  };
}
