import { randomUUID } from 'node:crypto';
import { createDeadline, type Deadline } from '../errors/deadline.js';
import type { RunQuery } from './connection/run-query.js';

/** Milliseconds. */
const TIMEOUT = 1_400;
/** Milliseconds for which the answer to a ping is used again. */
const LIFETIME = 500;

/** Fails where a table is missing. */
export async function readTables(run: RunQuery, deadline?: Deadline): Promise<void> {
  const users = { operation: 'SELECT', table: 'users' };
  await run(users, ({ user }) => user.findFirst({ select: { id: true } }), deadline);
  const counters = { operation: 'SELECT', table: 'throttle_counters' };
  await run(counters, ({ throttleCounter }) => throttleCounter.findFirst({ select: { key: true } }), deadline);
}

/**
 * Returns a function that reads and writes, at most once per LIFETIME: each login pings, and anybody may ask for readiness.
 *
 * @param timeout - milliseconds for a query
 */
export function createPing(run: RunQuery, timeout: number): () => Promise<void> {
  // A row for each instance: those that write the same row would wait for each other. A counter that has expired counts nothing.
  const row = { key: `ping:${randomUUID()}`, failures: 0, expiresAt: Date.now() };
  let last: { at: number; answer: Promise<void> } | undefined;

  async function readAndWrite(): Promise<void> {
    const deadline = createDeadline(Math.min(timeout, TIMEOUT));
    const counters = { operation: 'UPSERT', table: 'throttle_counters' };
    const upsert = { where: { key: row.key }, create: row, update: row };
    const write = run(counters, ({ throttleCounter }) => throttleCounter.upsert(upsert), deadline);
    await Promise.all([readTables(run, deadline), write]);
  }

  return () => {
    if (last && performance.now() - last.at <= LIFETIME) return last.answer;
    const answer = readAndWrite();
    last = { at: performance.now(), answer };
    // The next caller tries again.
    answer.catch(() => {
      last = undefined;
    });
    return answer;
  };
}
