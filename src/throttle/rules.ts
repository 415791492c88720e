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
  keyFrom(hashes: KeyedHashes): string;
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
