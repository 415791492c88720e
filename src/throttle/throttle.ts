import { createHmac, hkdfSync } from 'node:crypto';
import { isIPv4 } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { Database } from '../database/database.js';
import type { Counter } from '../database/throttle-counters.js';
import { normalizeEmail } from '../database/users.js';

/** Failures that are let pass; 0 switches a budget off. */
export type Budgets = {
  /** Consecutive ones of one email from one address; each further one has to wait twice as long as the one before. */
  emailAddress: number;
  /** From one address, in an hour. */
  address: number;
  /** Of one email from anywhere, in a day. */
  email: number;
};

/** The budgets by the names that the log and the metrics call them. */
export const BUDGETS = ['email_address', 'address', 'email'] as const;
export type Budget = (typeof BUDGETS)[number];

/** A budget is used up. */
export class TooManyFailures extends Error {
  constructor(
    readonly budget: Budget,
    readonly retryAfterSeconds: number,
  ) {
    super('too many failed logins');
  }
}

/** One login. `admit` comes first, then `fail` or `succeed`, and at the end `close`, whatever happened. */
export type Attempt = {
  /**
   * Resolves when the password may be verified. As many attempts go on at once as might all fail without going over a
   * budget; another waits for the outcome of one of them, so that guesses sent at once don't count as one.
   *
   * @param find - reads the counters that have not expired, by key, and what else the login needs
   * @returns what was found last
   * @throws TooManyFailures, and DatabaseUnavailable where no failure could be counted
   */
  admit<Found extends { counters: Map<string, Counter> }>(
    find: (counterKeys: string[], now: number) => Promise<Found>,
  ): Promise<Found>;
  fail(): Promise<void>;
  succeed(): Promise<void>;
  close(): void;
};

export type Throttle = {
  /** @param address - of the client, IPv4 or IPv6 */
  open(email: string, address: string): Attempt;
  /** Writes down what there was no hurry to write. */
  flush(): Promise<void>;
  /** From now on counts under another secret, and so from zero. */
  changeSecret(secret: string): void;
};

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const LONGEST_WAIT = 15 * MINUTE;
/** How long an address is remembered from which an email has logged in, and how often that is written down anew. */
const KNOWN_FOR = 90 * DAY;
const KNOWN_RENEWED_AFTER = DAY;
/** They are written down once a second, or as soon as there are so many. */
const KNOWN_AT_ONCE = 500;

/** What a login is counted under. */
type KeyedHashes = { email: string; network: string; both: string };

type Rule = {
  budget: Budget;
  limit: number;
  /** Milliseconds that a counter lives. */
  lifetime: number;
  /** Whether it lives that long after the last failure, and not after the first. */
  extends: boolean;
  /** Whether it holds where the email has logged in from this address before. */
  forKnown: boolean;
  keyFrom(hashes: KeyedHashes): string;
  /** When the next attempt may come, once the limit is reached. */
  retryAt(counter: Counter): number;
};

/** What this process knows of a key ahead of the database: attempts that have no outcome yet, or a new one. */
type Tally = { users: number; inside: number; failures: number; waiting: (() => void)[] };

/** A rule as it holds for one login. */
type Entry = { rule: Rule; key: string; tally: Tally };

/**
 * Slows down guessing, with counters in the database that all instances share. Emails and addresses are kept only as
 * keyed hashes.
 *
 * @param secret - any text that all instances know; the key is derived from it
 * @param now - milliseconds since the epoch
 */
export function createThrottle(
  database: Pick<Database, 'throttleCounters' | 'ping'>,
  budgets: Budgets,
  secret: string,
  now: () => number,
): Throttle {
  const { throttleCounters: counters } = database;
  let hashKey = deriveHashKey(secret);
  const tallies = new Map<string, Tally>();
  /** Until when an address is known, by key: found in this process alone, until it is written down. */
  const newlyKnown = new Map<string, number>();
  let flushing: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  const rules = rulesOf(budgets);

  async function writeNewlyKnown(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const written = [...newlyKnown].map(([key, expiresAt]) => ({ key, expiresAt }));
    newlyKnown.clear();
    if (written.length > 0) await counters.reset(written);
  }

  function flush(): Promise<void> {
    flushing ??= writeNewlyKnown().finally(() => {
      flushing = undefined;
    });
    return flushing;
  }

  /** One write serves many logins: on its own it would cost more than all that a login does beside hashing. */
  function remember(key: string, expiresAt: number): void {
    newlyKnown.set(key, expiresAt);
    // Where the database does not take it, the next login from there is another chance.
    const flushQuietly = () => flush().catch(() => {});
    if (newlyKnown.size >= KNOWN_AT_ONCE) flushQuietly();
    else timer ??= setTimeout(flushQuietly, SECOND).unref();
  }

  function keyedHash(...parts: string[]): string {
    return createHmac('sha256', hashKey).update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
  }

  function openTally(key: string): Tally {
    const tally = tallies.get(key) ?? { users: 0, inside: 0, failures: 0, waiting: [] };
    tally.users += 1;
    tallies.set(key, tally);
    return tally;
  }

  return {
    flush,
    changeSecret(changed) {
      hashKey = deriveHashKey(changed);
    },
    open(emailAsGiven, address) {
      const email = normalizeEmail(emailAsGiven);
      const network = networkOf(address);
      const hashes = { email: keyedHash(email), network: keyedHash(network), both: keyedHash(email, network) };
      const knownKey = `known:${hashes.both}`;
      const entries = rules.map((rule): Entry => {
        const key = rule.keyFrom(hashes);
        return { rule, key, tally: openTally(key) };
      });
      let found = new Map<string, Counter>();
      let inside = false;

      function isKnown(): boolean {
        return found.has(knownKey) || newlyKnown.has(knownKey);
      }

      /** How many attempts may go on at once, this one included. */
      function roomIn({ rule, key }: Entry): number {
        const counter = found.get(key);
        if (!counter || (isKnown() && !rule.forKnown)) return rule.limit;
        if (counter.failures < rule.limit) return rule.limit - counter.failures;
        const wait = rule.retryAt(counter) - now();
        if (wait > 0) throw new TooManyFailures(rule.budget, Math.ceil(wait / SECOND));
        return 1;
      }

      function countedHere(): number {
        return entries.reduce((sum, { tally }) => sum + tally.failures, 0);
      }

      return {
        async admit(find) {
          let woken: Tally | undefined;
          try {
            for (;;) {
              let full = entries.find(({ rule, tally }) => tally.inside >= rule.limit);
              if (!full) {
                const counted = countedHere();
                const [read] = await Promise.all([
                  find([knownKey, ...entries.map(({ key }) => key)], now()),
                  // What could not be counted would be free.
                  rules.length > 0 && database.ping(),
                ]);
                // A failure that was counted meanwhile may have been missed.
                if (counted !== countedHere()) continue;
                found = read.counters;
                full = entries.filter((entry) => entry.tally.inside >= roomIn(entry))[0];
                if (!full) {
                  for (const { tally } of entries) tally.inside += 1;
                  inside = true;
                  return read;
                }
              }
              if (woken !== full.tally) woken?.waiting.shift()?.();
              woken = full.tally;
              await new Promise<void>((resolve) => full.tally.waiting.push(resolve));
            }
          } finally {
            // There may be room for one more, or, where this one was turned away, still for one.
            woken?.waiting.shift()?.();
          }
        },
        async fail() {
          if (rules.length === 0) return;
          const at = now();
          const counts = entries.map(({ rule, key }) => ({
            key,
            extends: rule.extends,
            expiresAt: at + rule.lifetime,
          }));
          await counters.countFailure(counts, at);
          for (const { tally } of entries) tally.failures += 1;
        },
        async succeed() {
          const at = now();
          const consecutive = entries.find(({ rule }) => rule.forKnown);
          if (consecutive && (found.has(consecutive.key) || consecutive.tally.failures > 0)) {
            await counters.remove(consecutive.key);
          }
          const known = found.get(knownKey);
          if (rules.length > 0 && (!known || known.expiresAt - at < KNOWN_FOR - KNOWN_RENEWED_AFTER)) {
            remember(knownKey, at + KNOWN_FOR);
          }
        },
        close() {
          for (const { key, tally } of entries) {
            if (inside) {
              tally.inside -= 1;
              tally.waiting.shift()?.();
            }
            tally.users -= 1;
            if (tally.users === 0) tallies.delete(key);
          }
        },
      };
    },
  };
}

function rulesOf(budgets: Budgets): Rule[] {
  const window = { extends: false, forKnown: false, retryAt: ({ expiresAt }: Counter) => expiresAt };
  const rules: Rule[] = [
    {
      budget: 'email_address',
      limit: budgets.emailAddress,
      lifetime: DAY,
      extends: true,
      forKnown: true,
      keyFrom: ({ both }) => `email-address:${both}`,
      retryAt: ({ failures, expiresAt }) =>
        expiresAt - DAY + Math.min(LONGEST_WAIT, SECOND * 2 ** (failures - budgets.emailAddress)),
    },
    {
      budget: 'address',
      limit: budgets.address,
      lifetime: HOUR,
      keyFrom: ({ network }) => `address:${network}`,
      ...window,
    },
    { budget: 'email', limit: budgets.email, lifetime: DAY, keyFrom: ({ email }) => `email:${email}`, ...window },
  ];
  return rules.filter(({ limit }) => limit > 0);
}

function deriveHashKey(secret: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', 'throttle', 32));
}

/** An IPv4 address, or the /64 of an IPv6 one: whoever has one address there has them all. */
function networkOf(address: string): string {
  if (isIPv4(address) || !ipaddr.isValid(address)) return address;
  const ip = ipaddr.process(address);
  return ip.kind() === 'ipv4' ? ip.toString() : Buffer.from(ip.toByteArray().slice(0, 8)).toString('hex');
}
