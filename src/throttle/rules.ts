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

export type Rule = {
  budget: (typeof BUDGETS)[number];
  limit: number;
  /** Milliseconds. */
  lifetime: number;
  /** Whether it also applies to known addresses. Its lifetime starts at the last failure, others' at the first. */
  forKnown: boolean;
  /** Of the keys of its counters. */
  prefix: string;
  hash: keyof KeyedHashes;
};

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const LONGEST_WAIT = 15 * MINUTE;
/** By which the clocks of instances may differ. */
const CLOCK_TOLERANCE = MINUTE;

/** The rules of the budgets that are on. */
export function rulesOf({ emailAddress, address, email }: Budgets): Rule[] {
  const rules: Rule[] = [
    {
      budget: 'email_address',
      hash: 'both',
      prefix: 'email-address:',
      limit: emailAddress,
      lifetime: DAY,
      forKnown: true,
    },
    { budget: 'address', hash: 'network', prefix: 'address:', limit: address, lifetime: HOUR, forKnown: false },
    { budget: 'email', hash: 'email', prefix: 'email:', limit: email, lifetime: DAY, forKnown: false },
  ];
  return rules.filter(({ limit }) => limit > 0);
}

/** How many attempts may be in flight at once under a rule, one more included, and the milliseconds until the next one. */
export type Standing = { rule: Rule; maxInFlight: number; wait: number };

/** @param counter - undefined where no failure counts */
export function standingUnder(rule: Rule, counter: Counter | undefined, now: number): Standing {
  const failures = counter?.failures ?? 0;
  if (!counter || failures < rule.limit) return { rule, maxInFlight: rule.limit - failures, wait: 0 };
  const left = counter.expiresAt - now;
  if (!rule.forKnown) return { rule, maxInFlight: 1, wait: Math.min(left, rule.lifetime) };
  const longest = Math.min(LONGEST_WAIT, SECOND * 2 ** (failures - rule.limit));
  return { rule, maxInFlight: 1, wait: Math.min(Math.max(0, left - rule.lifetime + longest), LONGEST_WAIT) };
}

/**
 * A counter that expires at this time or before starts again. Unlocking a user does not forgive an address.
 *
 * @param forgivenAt - when earlier failures were forgiven, in milliseconds since the epoch; 0 where they never were
 */
export function restartsUntil(rule: Rule, forgivenAt: number, now: number): number {
  return rule.hash !== 'network' && forgivenAt > 0 ? Math.max(now, forgivenAt + rule.lifetime) : now;
}

/** A counter that expires later was made by a clock that has been set back since: it would lock out for longer than the rule says. */
export function isCounting(rule: Rule, { expiresAt }: Counter, forgivenAt: number, now: number): boolean {
  return expiresAt > restartsUntil(rule, forgivenAt, now) && expiresAt <= now + rule.lifetime + CLOCK_TOLERANCE;
}
