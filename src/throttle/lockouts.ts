import type { FindForLogin } from '../database/find-for-login.js';
import { createKeyedHashes } from './keys.js';
import { type Budgets, isCounting, type Rule, rulesOf, standingUnder } from './rules.js';

/** The failures that count against logins of an email. */
export type FailedLogins = {
  budget: Rule['budget'];
  failures: number;
  limit: number;
  /** Until when the service refuses logins; undefined while it does not. */
  lockedUntil: Date | undefined;
};

type Login = {
  /** Normalized. */
  email: string;
  /** Where it comes from. Without one only what counts for all addresses is found: the counters' keys name none. */
  address: string | undefined;
};

/**
 * Reads the failures of an email, and changes nothing.
 *
 * @param key - of the counters
 * @param now - milliseconds since the epoch
 * @returns by budget, without those that have none
 */
export async function readFailedLogins(
  findForLogin: FindForLogin,
  { budgets, key, now }: { budgets: Budgets; key: Buffer; now: number },
  { email, address }: Login,
): Promise<FailedLogins[]> {
  const hashes = createKeyedHashes(key)(email, address ?? '');
  const rules = rulesOf(budgets).filter(({ hash }) => address !== undefined || hash === 'email');
  if (rules.length === 0) return [];
  const keyOf = (rule: Rule) => rule.prefix + hashes[rule.hash];
  const { counters, unlockedAt } = await findForLogin({ email, counterKeys: rules.map(keyOf) });
  return rules.flatMap((rule) => {
    const counter = counters.get(keyOf(rule));
    if (!counter || counter.failures === 0 || !isCounting(rule, counter, unlockedAt, now)) return [];
    const { wait } = standingUnder(rule, counter, now);
    const lockedUntil = wait > 0 ? new Date(now + wait) : undefined;
    return { budget: rule.budget, failures: counter.failures, limit: rule.limit, lockedUntil };
  });
}
