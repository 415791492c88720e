import type { Database } from '../database/database.js';
import type { Counter } from '../database/throttle-counters.js';
import type { Deadline } from '../errors/deadline.js';
import { HttpError } from '../errors/http-error.js';
import { createGate } from './gate.js';
import { createKeyedHashes } from './keys.js';
import { createKnownAddresses } from './known-addresses.js';
import { type Budget, type Budgets, type Rule, rulesOf } from './rules.js';

/** A budget is used up. */
export class TooManyFailures extends HttpError {
  constructor(budget: Budget, retryAfterSeconds: number) {
    const message = 'too many failed logins';
    super(429, '', { retryAfterSeconds, message, log: { outcome: 'throttled', budget } });
  }
}

type Counters = Map<string, Counter>;
type Who = { email: string; address: string; deadline: Deadline };

export type Throttle = {
  /**
   * Runs an attempt to log in, and counts a failure unless the outcome is `succeeded`. One that throws is not counted.
   *
   * @param who - the email as it was given, the client's IPv4 or IPv6 address, and by when it is to be answered
   * @param find - reads the counters that have not expired, by key, and what else the login needs
   * @throws TooManyFailures, Overloaded, and DatabaseUnavailable where no failure could be counted
   */
  attempt<Found extends { counters: Counters }, Result extends { outcome: string }>(
    who: Who,
    find: (counterKeys: string[], now: number) => Promise<Found>,
    verify: (found: Found) => Promise<Result>,
  ): Promise<Result>;
  /** Stores known addresses that are not stored yet. */
  flush(): Promise<void>;
  /** Counts under another secret, and so from zero. */
  rotateSecret(secret: string): void;
};

/**
 * Slows down guessing, with counters in the database that all instances share.
 *
 * @param secret - any text that all instances know
 * @param now - milliseconds since the epoch
 */
export function createThrottle(
  database: Pick<Database, 'throttleCounters' | 'ping'>,
  budgets: Budgets,
  secret: string,
  now: () => number,
): Throttle {
  const { throttleCounters: counters } = database;
  const rules = rulesOf(budgets);
  const gate = createGate();
  const knownAddresses = createKnownAddresses(counters);
  let keyedHashes = createKeyedHashes(secret);

  return {
    attempt<Found extends { counters: Counters }, Result extends { outcome: string }>(
      { email, address, deadline }: Who,
      find: (counterKeys: string[], now: number) => Promise<Found>,
      verify: (found: Found) => Promise<Result>,
    ) {
      const hashes = keyedHashes(email, address);
      const knownKey = `known:${hashes.both}`;
      const places = rules.map((rule) => ({ rule, key: rule.keyFrom(hashes), limit: rule.limit }));

      async function read() {
        const [found] = await Promise.all([
          find([knownKey, ...places.map(({ key }) => key)], now()),
          // A guess that can't be counted would be free.
          rules.length > 0 && database.ping(deadline),
        ]);
        return found;
      }

      function roomFor({ counters }: Found): number[] {
        const isKnown = counters.has(knownKey) || knownAddresses.has(knownKey);
        return places.map(({ rule, key }) => roomUnder(rule, counters.get(key), isKnown, now()));
      }

      async function fail(): Promise<void> {
        const at = now();
        const counts = places.map(({ rule, key }) => ({ key, extends: rule.extends, expiresAt: at + rule.lifetime }));
        if (counts.length > 0) await counters.countFailure(counts, at, deadline);
      }

      return gate.pass({ places, deadline, read, roomFor }, async (found, pass) => {
        const result = await verify(found);
        if (result.outcome !== 'succeeded') {
          await fail();
          pass.countFailure();
          return result;
        }
        const consecutive = places.find(({ rule }) => rule.forKnown)?.key;
        if (consecutive && (found.counters.has(consecutive) || pass.hasFailures(consecutive))) {
          await counters.remove(consecutive, deadline);
        }
        if (rules.length > 0) knownAddresses.remember(knownKey, found.counters.get(knownKey), now());
        return result;
      });
    },
    flush: knownAddresses.flush,
    rotateSecret(changed) {
      keyedHashes = createKeyedHashes(changed);
    },
  };
}

/** How many attempts may be in flight at once under a rule, one more included. */
function roomUnder(rule: Rule, counter: Counter | undefined, isKnown: boolean, now: number): number {
  if (!counter || (isKnown && !rule.forKnown)) return rule.limit;
  if (counter.failures < rule.limit) return rule.limit - counter.failures;
  const wait = rule.retryAt(counter) - now;
  if (wait > 0) throw new TooManyFailures(rule.budget, Math.ceil(wait / 1_000));
  return 1;
}
