import { setTimeout as wait } from 'node:timers/promises';
import type { Database } from '../database/database.js';
import type { Counter, ThrottleCounters } from '../database/throttle-counters.js';
import type { Deadline } from '../errors/deadline.js';
import { HttpError } from '../errors/http-error.js';
import { Overloaded } from '../errors/overloaded.js';
import { createGate, type Pass, type Place } from './gate.js';
import { createKeyedHashes, type KeyedHashes } from './keys.js';
import { createKnownAddresses } from './known-addresses.js';
import { type Budgets, type Rule, restartsUntil, rulesOf, standingUnder } from './rules.js';

/** A budget is used up. */
export class TooManyFailures extends HttpError {
  /** @param wait - milliseconds */
  constructor(
    readonly rule: Rule,
    wait: number,
  ) {
    const message = 'too many failed logins';
    const log = { outcome: 'throttled', budget: rule.budget } as const;
    super(429, '', { retryAfterSeconds: Math.ceil(wait / 1_000), message, log });
  }
}

/** Milliseconds that are left at least to count a failure. */
const WRITE_TIMEOUT = 250;

type Who = { email: string; address: string; deadline: Deadline };
type RulePlace = Place & { rule: Rule };
type Found = {
  /** Those that have not expired, by key. */
  counters: Map<string, Counter>;
  /** When failures were forgiven, and when known addresses were forgotten: milliseconds since the epoch; 0 for never. */
  unlockedAt: number;
  passwordChangedAt: number;
};

export type Throttle = {
  /**
   * Runs an attempt to log in, and counts a failure unless the outcome is `succeeded`. One that throws is not counted.
   *
   * Over the budget of an address or an email, a known address may still log in. A wrong password gets the reply that others
   * get, after the time that they wait, and is counted apart: who shares the address does not learn who is known from there.
   *
   * @param who - the email as it was given, the client's IPv4 or IPv6 address, and by when it is to be answered
   * @param find - reads the counters that have not expired, by key, and what else the login needs
   * @throws TooManyFailures, Overloaded, and DatabaseUnavailable where no failure could be counted
   */
  attempt<FoundForLogin extends Found, Result extends { outcome: string }>(
    who: Who,
    find: (counterKeys: string[], now: number) => Promise<FoundForLogin>,
    verify: (found: FoundForLogin) => Promise<Result>,
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
  database: Pick<Database, 'ping'> & {
    throttleCounters: Pick<ThrottleCounters, 'countFailure' | 'shorten' | 'reset' | 'remove'>;
  },
  budgets: Budgets,
  secret: string,
  now: () => number,
): Throttle {
  const { throttleCounters: counters } = database;
  const rules = rulesOf(budgets);
  const gate = createGate();
  const knownAddresses = createKnownAddresses(counters);
  let keyedHashes = createKeyedHashes(secret);
  /** Milliseconds. */
  let lastVerificationTook = 0;

  function placesOf(hashes: KeyedHashes): RulePlace[] {
    return rules.map((rule) => ({ rule, key: rule.prefix + rule.hashFrom(hashes), limit: rule.limit }));
  }

  /** A clock that was set back has made counters that expire too late: they would lock out for longer than the rule says. */
  async function shorten(places: RulePlace[], { counters: found }: Found, deadline: Deadline): Promise<void> {
    for (const { rule, key } of places) {
      const counter = found.get(key);
      const latest = now() + rule.lifetime;
      if (!counter || counter.expiresAt <= latest) continue;
      await counters.shorten(key, latest, deadline);
      counter.expiresAt = latest;
    }
  }

  async function countFailure(places: RulePlace[], { unlockedAt }: Found, deadline: Deadline): Promise<void> {
    const at = now();
    const counts = places.map(({ rule, key }) => ({
      key,
      extends: rule.extends,
      expiresAt: at + rule.lifetime,
      restartsUntil: restartsUntil(rule, unlockedAt, at),
    }));
    if (counts.length > 0) await counters.countFailure(counts, deadline);
  }

  return {
    async attempt({ email, address, deadline }, find, verify) {
      const hashes = keyedHashes(email, address);
      const knownKey = `known:${hashes.both}`;
      const places = placesOf(hashes);
      const hiddenPlaces = places
        .filter(({ rule }) => rule.forKnown)
        .map((place) => ({ ...place, key: `refused:${hashes.both}` }));
      const allPlaces = [...places, ...hiddenPlaces];

      async function read() {
        const readAt = now();
        const [found] = await Promise.all([
          find([knownKey, ...allPlaces.map(({ key }) => key)], readAt),
          // A guess that can't be counted would be free.
          rules.length > 0 && database.ping(deadline),
        ]);
        await shorten(allPlaces, found, deadline);
        const isKnown = knownAddresses.isKnown(knownKey, found.counters.get(knownKey), found.passwordChangedAt);
        return { readAt, found, isKnown, ...judge(places, hiddenPlaces, found, isKnown, now()) };
      }

      /** @param counted - where a failure is counted */
      async function run(
        { readAt, found, isKnown }: Awaited<ReturnType<typeof read>>,
        pass: Pass,
        counted: RulePlace[],
      ) {
        const began = performance.now();
        const result = await verify(found);
        // The guess has been hashed: it is counted, though the time may be up.
        deadline.extend(Math.max(0, WRITE_TIMEOUT - deadline.remaining()));
        if (result.outcome !== 'succeeded') {
          await countFailure(counted, found, deadline);
          pass.countFailure();
          lastVerificationTook = performance.now() - began;
          return result;
        }
        for (const { rule, key } of allPlaces) {
          if (rule.forKnown && (found.counters.has(key) || pass.hasFailures(key))) await counters.remove(key, deadline);
        }
        const stored = isKnown ? found.counters.get(knownKey) : undefined;
        if (rules.length > 0) knownAddresses.remember(knownKey, stored, readAt);
        return result;
      }

      /**
       * Known or not: one after another, and none counted where it could be seen. Waits, lockouts and overload would tell who
       * is known.
       */
      function runRefused(refusal: TooManyFailures) {
        const oneAtATime = { places: hiddenPlaces, deadline, read, roomFor: () => hiddenPlaces.map(() => 1) };
        return gate.pass(oneAtATime, async (judged, pass) => {
          const result = judged.mayVerify ? await run(judged, pass, hiddenPlaces).catch(ignoreOverload) : undefined;
          if (result?.outcome === 'succeeded') return result;
          if (!result) await wait(Math.max(0, Math.min(lastVerificationTook, deadline.remaining())));
          throw refusal;
        });
      }

      try {
        return await gate.pass({ places, deadline, read, roomFor: (judged) => roomFor(judged) }, (judged, pass) =>
          run(judged, pass, places),
        );
      } catch (error) {
        if (error instanceof TooManyFailures && !error.rule.forKnown) return runRefused(error);
        throw error;
      }
    },
    flush: knownAddresses.flush,
    rotateSecret(changed) {
      keyedHashes = createKeyedHashes(changed);
    },
  };
}

/** What the counters say of an attempt. A known address that is refused may verify its password all the same. */
type Judgement = { rooms: number[]; refusal: TooManyFailures | undefined; mayVerify: boolean };

function judge(
  places: RulePlace[],
  hiddenPlaces: RulePlace[],
  { counters, unlockedAt }: Found,
  isKnown: boolean,
  now: number,
): Judgement {
  const standingAt = ({ rule, key }: RulePlace) => standingUnder(rule, counters.get(key), unlockedAt, now);
  const standings = places.map(standingAt);
  const rooms = standings.map(({ rule, room }) => (isKnown && !rule.forKnown ? rule.limit : room));
  const exceeded = standings.filter(({ wait }) => wait > 0);
  // What everybody gets, also where a known address has used up its own budget.
  const shown = exceeded.find(({ rule }) => !rule.forKnown) ?? exceeded[0];
  const refusal = shown && new TooManyFailures(shown.rule, shown.wait);
  const ownBudgets = [...exceeded.filter(({ rule }) => rule.forKnown), ...hiddenPlaces.map(standingAt)];
  return { rooms, refusal, mayVerify: isKnown && ownBudgets.every(({ wait }) => wait === 0) };
}

function roomFor({ rooms, refusal }: Judgement): number[] {
  if (refusal) throw refusal;
  return rooms;
}

function ignoreOverload(error: unknown): undefined {
  if (!(error instanceof Overloaded)) throw error;
}
