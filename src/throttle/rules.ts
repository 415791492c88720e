import type { Counter } from '../database/throttle-counters.js';
import type { KeyedHashes } from './keys.js';

/** Allowed failures; 0 disables a budget. */
export type Budgets = {
  /** Consecutive, of one email from one address; each further one waits twice as long. */
  emailAddress: number;
  /** From one address in an hour. */
  address: number;
  /** Of one email in a day. */
  email: number;
};

/** The budgets by the names that the log and the metrics use. */
export const BUDGETS = ['email_address', 'address', 'email'] as const;
export type Budget = (typeof BUDGETS)[number];

export type Rule = {
  budget: Budget;
  limit: number;
  /** Milliseconds. */
  lifetime: number;
  /** Whether the lifetime starts at the last failure and not at the first. */
  extends: boolean;
  /** Whether it applies to known addresses. */
  forKnown: boolean;
  /** Whether unlocking the user voids it. */
  endsByUnlocking: boolean;
  /** Milliseconds. */
  longestWait: number;
  /** Of the keys of its counters. */
  prefix: string;
  hashFrom(hashes: KeyedHashes): string;
  /** Time of the next attempt, once the limit is reached. */
  retryAt(counter: Counter): number;
};

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const LONGEST_WAIT = 15 * MINUTE;

/** The rules of the budgets that are on. */
export function rulesOf(budgets: Budgets): Rule[] {
  const window = { extends: false, forKnown: false, retryAt: ({ expiresAt }: Counter) => expiresAt };
  const rules: Rule[] = [
    {
      budget: 'email_address',
      limit: budgets.emailAddress,
      lifetime: DAY,
      longestWait: LONGEST_WAIT,
      extends: true,
      forKnown: true,
      endsByUnlocking: true,
      prefix: 'email-address:',
      hashFrom: ({ both }) => both,
      retryAt: ({ failures, expiresAt }) =>
        expiresAt - DAY + Math.min(LONGEST_WAIT, SECOND * 2 ** (failures - budgets.emailAddress)),
    },
    {
      budget: 'address',
      limit: budgets.address,
      lifetime: HOUR,
      longestWait: HOUR,
      endsByUnlocking: false,
      prefix: 'address:',
      hashFrom: ({ network }) => network,
      ...window,
    },
    {
      budget: 'email',
      limit: budgets.email,
      lifetime: DAY,
      longestWait: DAY,
      endsByUnlocking: true,
      prefix: 'email:',
      hashFrom: ({ email }) => email,
      ...window,
    },
  ];
  return rules.filter(({ limit }) => limit > 0);
}

/**
 * How many attempts may be in flight at once under a rule, one more included, and the milliseconds until the next one.
 *
 * @param forgivenAt - when the failures before were forgiven, in milliseconds since the epoch; 0 where it was not
 */
export function standingUnder(rule: Rule, counter: Counter | undefined, forgivenAt: number, now: number): Standing {
  if (!counter || counter.expiresAt <= restartsUntil(rule, forgivenAt, now)) return { rule, room: rule.limit, wait: 0 };
  if (counter.failures < rule.limit) return { rule, room: rule.limit - counter.failures, wait: 0 };
  return { rule, room: 1, wait: Math.min(Math.max(0, rule.retryAt(counter) - now), rule.longestWait) };
}

export type Standing = { rule: Rule; room: number; wait: number };

/** A counter that expires at this time or before starts again. */
export function restartsUntil(rule: Rule, forgivenAt: number, now: number): number {
  return rule.endsByUnlocking && forgivenAt > 0 ? Math.max(now, forgivenAt + rule.lifetime) : now;
}
