import { compileSchema } from '../../../contract/validation.js';
import { MAX_ID } from '../../../database/users.js';
import { type ScryptCost, withScryptParameters } from '../../../passwords/formats/scrypt.js';
import type { Passwords } from '../../../passwords/passwords.js';
import { normalizeEmail } from '../../../text/email.js';
import { parseWholeNumber } from '../../../text/whole-number.js';
import { credentialsSchema } from '../../../users/credentials.js';
import { DIGEST_COLUMNS, type Rejection, type SourceRecord } from './read-records.js';

/** A row to store. An undefined value keeps what is stored, or is the default for a new user. */
export type Row = {
  line: number;
  id: number | undefined;
  email: string;
  passwordDigest: string;
  /** Null where the digest has the pepper that is configured, if any. */
  peppered: boolean | null | undefined;
  /** Milliseconds since the epoch; null where the user is not disabled. */
  disabledAt: number | null | undefined;
  createdAt: number | undefined;
};

/**
 * Validates rows. An email must be one that a login accepts.
 *
 * @param scryptParameters - of digests that are `SALT:KEY`; better-auth's unless given
 */
export function createRowCheck(
  passwords: Passwords,
  scryptParameters?: ScryptCost,
): (record: SourceRecord) => Row | Rejection {
  const checkEmail = compileSchema({ ...credentialsSchema(), required: ['email'] });

  return ({ line, values }) => {
    const reject = (reason: string) => ({ line, reason, id: unlessLong(values.id), email: unlessLong(values.email) });
    const id = readId(values.id);
    if (id === null) return reject(`id must be a whole number from 1 to ${MAX_ID}`);

    const { email } = values;
    if (typeof email !== 'string') return reject('email is missing');
    // The decoder's replacement for bytes that are not UTF-8.
    if (email.includes('\ufffd')) return reject('email is not valid UTF-8');
    const [fault] = checkEmail({ email });
    if (fault) return reject(`${fault.field} ${fault.message}`);

    const column = DIGEST_COLUMNS.find((name) => values[name] !== undefined) ?? 'password_digest';
    const digest = values[column];
    if (typeof digest !== 'string' || digest === '') return reject(`${column} is missing`);
    if (digest.startsWith('!')) return reject(`${column} is an unusable password`);
    const passwordDigest = scryptParameters ? withScryptParameters(digest, scryptParameters) : digest;
    if (!passwords.formOf(passwordDigest)) return reject(`${column} has an unknown format, or exceeds its limits`);

    const peppered = values.peppered === undefined ? undefined : readBoolean(values.peppered);
    if (peppered === null && !isEmpty(values.peppered)) return reject('peppered must be true or false');
    const disabledAt = readTime(values.disabled_at);
    if (Number.isNaN(disabledAt)) return reject(`disabled_at ${NOT_A_TIME}`);
    const createdAt = readTime(values.created_at) ?? undefined;
    if (Number.isNaN(createdAt)) return reject(`created_at ${NOT_A_TIME}`);

    return { line, id, email: normalizeEmail(email), passwordDigest, peppered, disabledAt, createdAt };
  };
}

function unlessLong(value: unknown): unknown {
  return typeof value === 'number' || (typeof value === 'string' && value.length <= 254) ? value : undefined;
}

function isEmpty(value: unknown): boolean {
  return value === null || value === '';
}

const NOT_A_TIME = 'must be a time, such as 2026-01-31T12:00:00Z';

/** @returns null where it is not an id, undefined where it is empty */
function readId(value: unknown): number | null | undefined {
  if (value === undefined || isEmpty(value)) return undefined;
  if (typeof value !== 'number' && typeof value !== 'string') return null;
  return parseWholeNumber(String(value), 1, MAX_ID) ?? null;
}

const TRUE: unknown[] = [true, 'true', 't', 1, '1'];
const FALSE: unknown[] = [false, 'false', 'f', 0, '0'];

/**
 * Reads a boolean as JSON, CSV and the exports of databases have it.
 *
 * @returns null if it is empty or not a boolean
 */
export function readBoolean(value: unknown): boolean | null {
  return TRUE.includes(value) || (FALSE.includes(value) ? false : null);
}

const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?$/;

/**
 * Reads a time in the formats of RFC 3339, SQL, and the exports of databases. The default zone is UTC.
 *
 * @returns milliseconds since the epoch; NaN if it is not a time, null if it is empty, undefined if it is missing
 */
export function readTime(value: unknown): number | null | undefined {
  if (value === undefined) return undefined;
  if (isEmpty(value)) return null;
  const [, day, time, fraction = '', zone = 'Z'] = (typeof value === 'string' && TIME.exec(value)) || [];
  if (day === undefined) return Number.NaN;
  const offset = /^[+-]/.test(zone) ? `${zone.replace(':', '')}00`.replace(/^(.\d\d)(\d\d).*/, '$1:$2') : 'Z';
  // JavaScript reads February 30 as March 2.
  if (new Date(`${day}T00:00Z`).getUTCDate() !== Number(day.slice(-2))) return Number.NaN;
  return Date.parse(`${day}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}${offset}`);
}
