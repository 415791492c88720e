import type { Counter, ThrottleCounters } from '../database/throttle-counters.js';
import type { Deadline } from '../errors/deadline.js';
import { HttpError } from '../errors/http-error.js';
import { startOnceThereIsRoom, startWaiting, type Tally } from './in-flight.js';
import { createKeyedHashes } from './keys.js';
import { createKnownAddresses } from './known-addresses.js';
import { type Budgets, isCounting, type Rule, restartsUntil, rulesOf, type Standing, standingUnder } from './rules.js';

/** A budget is used up. */
export class TooManyFailures extends HttpError {
  constructor({ rule: { budget }, wait }: Standing) {
    const log = { outcome: 'throttled', budget } as const;
    super(429, '', { retryAfterSeconds: Math.ceil(wait / 1_000), message: 'too many failed logins', log });
  }
}

/** Milliseconds that are left at least to count a failure. */
const WRITE_TIMEOUT = 250;

/** @property before - the tally's counter when the attempt began */
type CounterKey = { rule: Rule; key: string; tally: Tally; before: Counter | undefined };

/** What the database knows of an attempt. */
type Found = {
  /** By key. */
  counters: Map<string, Counter>;
  /** When failures were forgiven, and when known addresses were forgotten: milliseconds since the epoch; 0 for never. */
  unlockedAt: number;
  passwordChangedAt: number;
};

/** An attempt to log in. */
export type Attempt = {
  /** Of the counters that have to be read. */
  counterKeys: string[];
  /**
   * Waits until the password may be verified. At most as many attempts are in flight as could all fail within the budgets that
   * apply to them, so parallel guesses on one instance can't exceed these. It judges by what was read, and by what has failed
   * here since.
   *
   * @throws TooManyFailures; Overloaded at the deadline
   */
  admit(found: Found, deadline: Deadline): Promise<AdmittedAttempt>;
  /** Lets others proceed. Must be called: an attempt that has neither failed nor succeeded is not counted. */
  end(): void;
};

type AdmittedAttempt = {
  /** Counts a failure. Throws TooManyFailures where only a known address was admitted. */
  failed(deadline: Deadline): Promise<void>;
  succeeded(deadline: Deadline): Promise<void>;
};

export type Throttle = {
  /**
   * Begins an attempt to log in, before its counters are read. Over the budget of an address or an email, a known address is
   * admitted under its own budget alone; a wrong password then gets the reply of the others.
   *
   * @param email - normalized
   * @param address - the client's IPv4 or IPv6 address
   */
  begin(email: string, address: string): Attempt;
  /** Stores known addresses that are not stored yet. */
  flush(): Promise<void>;
};

/**
 * Slows down guessing, with counters in the database that all instances share.
 *
 * @param key - of the counters' keyed hashes, which all instances know
 * @param now - milliseconds since the epoch
 */
export function createThrottle(
  counters: Pick<ThrottleCounters, 'countFailure' | 'reset' | 'remove'>,
  budgets: Budgets,
  key: Buffer,
  now: () => number,
): Throttle {
  const rules = rulesOf(budgets);
  const tallies = new Map<string, Tally>();
  const knownAddresses = createKnownAddresses(counters);
  const keyedHashes = createKeyedHashes(key);

  function enter(key: string): Tally {
    const tally = tallies.get(key) ?? { begun: 0, inFlight: 0, waiting: new Set() };
    tally.begun += 1;
    tallies.set(key, tally);
    return tally;
  }

  async function countFailure(keys: CounterKey[], { unlockedAt }: Found, deadline: Deadline): Promise<void> {
    const at = now();
    const counts = keys.map(({ rule, key }) => ({
      key,
      extends: rule.forKnown,
      expiresAt: at + rule.lifetime,
      restartsUntil: restartsUntil(rule, unlockedAt, at),
    }));
    const counted = counts.length > 0 ? await counters.countFailure(counts, deadline) : new Map();
    for (const { rule, key, tally } of keys) {
      tally.counter = largerOf(rule, tally.counter, counted.get(key), unlockedAt, at);
    }
  }

  function begin(email: string, address: string): Attempt {
    const hashes = keyedHashes(email, address);
    const knownKey = `known:${hashes.both}`;
    const beganAt = now();
    const keys = rules.map((rule) => {
      const key = rule.prefix + hashes[rule.hash];
      const tally = enter(key);
      return { rule, key, tally, before: tally.counter };
    });
    let roomTaken: CounterKey[] = [];

    return {
      counterKeys: [knownKey, ...keys.map(({ key }) => key)],
      async admit(found, deadline) {
        const known = found.counters.get(knownKey);
        const isKnown = knownAddresses.isKnown(knownKey, known, found.passwordChangedAt, now());
        let refusalOfOthers: TooManyFailures | undefined;
        await startOnceThereIsRoom(() => {
          const verdict = judge(keys, found, isKnown, now());
          if (verdict.full) return verdict.full;
          // A known address takes no room from others: while many of its users log in, they would wait for ever.
          roomTaken = verdict.own;
          for (const { tally } of roomTaken) tally.inFlight += 1;
          refusalOfOthers = verdict.refusalOfOthers;
          return undefined;
        }, deadline);
        return {
          async failed(deadline) {
            // The guess has been hashed: it is counted, though the time may be up.
            deadline.extend(Math.max(0, WRITE_TIMEOUT - deadline.remaining()));
            await countFailure(keys, found, deadline);
            if (refusalOfOthers) throw refusalOfOthers;
          },
          async succeeded(deadline) {
            for (const { rule, key, tally } of keys) {
              if (!rule.forKnown || !(found.counters.has(key) || tally.counter)) continue;
              await counters.remove(key, deadline);
              tally.counter = undefined;
            }
            if (rules.length > 0) knownAddresses.remember(knownKey, isKnown ? known : undefined, beganAt);
          },
        };
      },
      end() {
        for (const { tally } of roomTaken) tally.inFlight -= 1;
        for (const { key, tally } of keys) {
          tally.begun -= 1;
          if (tally.begun === 0) tallies.delete(key);
        }
        for (const { tally } of roomTaken) startWaiting(tally);
      },
    };
  }

  return { begin, flush: knownAddresses.flush };
}

/**
 * Judges an attempt.
 *
 * @returns the keys under which it needs room, the first tally without, and the refusal of unknown addresses; these are
 *   undefined where there is room, and within all budgets
 * @throws TooManyFailures where the attempt is refused
 */
function judge(keys: CounterKey[], found: Found, isKnown: boolean, now: number) {
  const standings = keys.map((key) => ({ ...key, ...standingUnder(key.rule, counterOf(key, found, now), now) }));
  const own = standings.filter(({ rule }) => rule.forKnown || !isKnown);
  const refusalOfOthers = refusalBy(standings);
  if (refusalOfOthers && own.some(({ wait }) => wait > 0)) throw refusalOfOthers;
  const full = own.find(({ tally, maxInFlight }) => tally.inFlight >= maxInFlight)?.tally;
  return { own, full, refusalOfOthers };
}

/** The counter as it was read, or as a failure here has left it since; undefined where no failure counts. */
function counterOf({ rule, key, tally, before }: CounterKey, found: Found, now: number): Counter | undefined {
  const since = tally.counter === before ? undefined : tally.counter;
  return largerOf(rule, found.counters.get(key), since, found.unlockedAt, now);
}

/** The one with more failures, if both count: replies of the database may overtake each other. */
function largerOf(
  rule: Rule,
  one: Counter | undefined,
  other: Counter | undefined,
  forgivenAt: number,
  now: number,
): Counter | undefined {
  const [least, most] = [one, other]
    .filter((counter) => counter !== undefined && isCounting(rule, counter, forgivenAt, now))
    .sort((a, b) => (a?.failures ?? 0) - (b?.failures ?? 0));
  return most ?? least;
}

/** What everybody gets over a budget. That of a known address comes last: it would tell that the address is known. */
function refusalBy(standings: Standing[]): TooManyFailures | undefined {
  const exceeded = standings.filter(({ wait }) => wait > 0);
  const shown = exceeded.find(({ rule }) => !rule.forKnown) ?? exceeded[0];
  return shown && new TooManyFailures(shown);
}
