import { load } from './load/load.js';
import { type Service, startService } from './service.js';

export const SECONDS = Number(process.env.BENCH_SECONDS ?? 10);
export const PASSWORD = 'correct horse battery staple';
const CONNECTIONS = 16;

type LoginsOptions = { connections?: number; requestsOfConnection?: number };

/** What each connection asks for, over and over: logins of users chosen at random, as `fillUsers` makes them. */
export function loginsOf(users: number, { connections = CONNECTIONS, requestsOfConnection = 250 }: LoginsOptions = {}) {
  const request = () => ({
    method: 'POST' as const,
    path: '/api/v1/sessions',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({
      email: `user${1 + Math.floor(Math.random() * users)}@example.com`,
      password: PASSWORD,
    }).toString(),
  });
  return Array.from({ length: connections }, () => Array.from({ length: requestsOfConnection }, request));
}

/** @param p99 - in milliseconds */
export type LoginRate = { perSecond: number; p99: number };

/**
 * Makes a service warm, and lets it know where the logins come from.
 *
 * @returns what measures how many there are in a second; every one of them has to succeed
 */
export async function warmUp(
  { url }: Service,
  lists: ReturnType<typeof loginsOf>,
  amount: number,
): Promise<() => Promise<LoginRate>> {
  await load(url, lists, { amount });
  return async () => {
    const { '2xx': succeeded, non2xx, errors, duration, latency } = await load(url, lists, { duration: SECONDS });
    if (non2xx + errors > 0) throw new Error(`${non2xx + errors} logins did not succeed`);
    return { perSecond: succeeded / duration, p99: latency.p99 };
  };
}

/** Milliseconds from exec to the first 200. */
export async function firstLogin(env: NodeJS.ProcessEnv): Promise<number> {
  const started = performance.now();
  const service = await startService(env);
  const body = new URLSearchParams({ email: 'user1@example.com', password: PASSWORD });
  const { status } = await fetch(`${service.url}/api/v1/sessions`, { method: 'POST', body });
  if (status !== 200) throw new Error(`the first login was answered with ${status}`);
  const elapsed = performance.now() - started;
  await service.stop();
  return elapsed;
}

export function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
