import { userInfo } from 'node:os';
import type { UserEvent } from '../../errors/http-error.js';

/**
 * Writes the line of a change for the caller's log, as the service does for changes over HTTP. On a terminal the result says
 * enough.
 *
 * @param whose - the user who is changed, or how many users are
 */
export function audit(event: UserEvent, whose: { userId: number } | { users: number }): void {
  if (process.stderr.isTTY) return;
  const line = { level: 30, time: Date.now(), event, ...whose, by: `command:${nameOfCaller()}`, msg: 'changed' };
  console.error(JSON.stringify(line));
}

/** A container's user may have a number only. */
function nameOfCaller(): string | number {
  try {
    return userInfo().username;
  } catch {
    return process.getuid?.() ?? 'unknown';
  }
}
