import { compileSchema } from '../../../contract/validation.js';
import { MAX_ID } from '../../../database/users.js';
import type { Passwords } from '../../../passwords/passwords.js';
import { normalizeEmail } from '../../../text/email.js';
import { credentialsSchema } from '../../../users/credentials.js';
import { DIGEST_COLUMNS, type Rejection, type SourceRecord } from './read-records.js';

/** A row that may be stored. What is undefined is left as it is stored, or as it is for a new user. */
export type Row = {
  line: number;
  id: number | undefined;
  email: string;
  passwordDigest: string;
  /** Milliseconds since the epoch; null where the user is not disabled. */
  disabledAt: number | null | undefined;
  createdAt: number | undefined;
};

/** Makes the check that each row has to pass: its email is held to what a login's is held to. */
export function createRowCheck(passwords: Passwords): (record: SourceRecord) => Row | Rejection {
  const checkEmail = compileSchema({ ...credentialsSchema(), required: ['email'] });

  return ({ line, values }) => {
    const reject = (reason: string): Rejection => ({ line, reason, ...identityOf(values) });
    const id = readId(values.id);
    if (id === null) return reject(`id must be a whole number from 1 to ${MAX_ID}`);

    const { email } = values;
    if (typeof email !== 'string') return reject('email is missing');
    // What stands for bytes that are not UTF-8.
    if (email.includes('\ufffd')) return reject('email is not valid UTF-8');
    const [fault] = checkEmail({ email });
    if (fault) return reject(`${fault.field} ${fault.message}`);

    const column = DIGEST_COLUMNS.find((name) => values[name] !== undefined) ?? 'password_digest';
    const passwordDigest = values[column];
    if (typeof passwordDigest !== 'string' || passwordDigest === '') return reject(`${column} is missing`);
    if (passwordDigest.startsWith('!')) return reject(`${column} says that the user has no password`);
    if (!passwords.formOf(passwordDigest)) return reject(`${column} is of no known format, or beyond its bounds`);

    const disabledAt = readTime(values.disabled_at);
    if (Number.isNaN(disabledAt)) return reject(`disabled_at ${NO_TIME}`);
    const createdAt = readTime(values.created_at) ?? undefined;
    if (Number.isNaN(createdAt)) return reject(`created_at ${NO_TIME}`);

    return { line, id, email: normalizeEmail(email), passwordDigest, disabledAt, createdAt };
  };
}

/** What tells the user whose row was rejected, if it is of a sensible size. */
function identityOf({ id, email }: SourceRecord['values']): { id?: unknown; email?: unknown } {
  const isShort = (value: unknown) => typeof value === 'number' || (typeof value === 'string' && value.length <= 254);
  return { ...(isShort(id) && { id }), ...(isShort(email) && { email }) };
}

const NO_TIME = 'must be a time, such as 2026-01-31T12:00:00Z';

/** @returns null where it is none */
function readId(value: unknown): number | null | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  const isNumber = typeof value === 'number' || (typeof value === 'string' && /^\d{1,10}$/.test(value));
  const id = isNumber ? Number(value) : 0;
  return Number.isInteger(id) && id >= 1 && id <= MAX_ID ? id : null;
}

const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?$/;

/**
 * Reads a time as RFC 3339, SQL and the databases' own exports spell it; UTC where it names no zone.
 *
 * @returns milliseconds since the epoch; NaN where it is none, null where it is empty, undefined where it is not there
 */
export function readTime(value: unknown): number | null | undefined {
  if (value === undefined) return undefined;
  if (value === null || value === '') return null;
  const [, day, time, fraction = '', zone = 'Z'] = (typeof value === 'string' && TIME.exec(value)) || [];
  if (day === undefined) return Number.NaN;
  const offset = /^[+-]/.test(zone) ? `${zone.replace(':', '')}00`.replace(/^(.\d\d)(\d\d).*/, '$1:$2') : 'Z';
  // A day that the month does not have, JavaScript takes for one of the next month's.
  if (new Date(`${day}T00:00Z`).getUTCDate() !== Number(day.slice(-2))) return Number.NaN;
  return Date.parse(`${day}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}${offset}`);
}
