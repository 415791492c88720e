import { randomUUID } from 'node:crypto';

/** As Rails: the caller's own id, sanitized for logs and cut to length, or a new UUID. */
export function createRequestId(callersOwn: string | undefined): string {
  return callersOwn?.replaceAll(/[^A-Za-z0-9_-]/g, '').slice(0, 255) || randomUUID();
}
