import type { ImportedUser } from '../../../database/import/plan.js';
import { MAX_ID, NO_PASSWORD } from '../../../database/users.js';
import { type ScryptCost, withScryptParameters } from '../../../passwords/formats/scrypt.js';
import type { Passwords } from '../../../passwords/passwords.js';
import { normalizeEmail } from '../../../text/email.js';
import { parseWholeNumber } from '../../../text/whole-number.js';
import { createCredentialsCheck } from '../../../users/credentials.js';
import { DIGEST_COLUMNS } from './read-records.js';
import type { Rejection, SourceRecord } from './source-record.js';

/** A row to store. */
export type Row = ImportedUser & { line: number };

export type RowOptions = {
  /** Of digests that are `SALT:KEY`; better-auth's unless given. */
  scryptParameters?: ScryptCost;
  /** Whether users come without a password too. */
  allowNoPassword?: boolean;
  /** Whether an empty disabled_at enables a user. */
  emptyEnables?: boolean;
};

/** Validates rows. An email must be one that a login accepts. An empty cell changes nothing, JSON's null clears. */
export function createRowCheck(
  passwords: Passwords,
  { scryptParameters, allowNoPassword = false, emptyEnables = false }: RowOptions = {},
): (record: SourceRecord) => Row | Rejection {
  const checkEmail = createCredentialsCheck(['email']);

  return ({ line, values }) => {
    const reject = (reason: string) => ({ line, reason, ...columnsOf(values, passwords) });
    const id = readId(values.id);
    if (id === null) return reject(`id must be a whole number from 1 to ${MAX_ID}`);

    const { email } = values;
    if (typeof email !== 'string') return reject('email is missing');
    const [fault] = checkEmail({ email });
    if (fault) return reject(`${fault.field} ${fault.message}`);

    const column = DIGEST_COLUMNS.find((name) => values[name] !== undefined) ?? 'password_digest';
    const passwordDigest = readDigest(values[column], scryptParameters);
    if (passwordDigest === undefined && !allowNoPassword) {
      return reject(`${column} is ${values[column] ? 'an unusable password' : 'missing'}; see --allow-no-password`);
    }
    if (passwordDigest !== undefined && !passwords.formOf(passwordDigest)) {
      return reject(`${column} has an unknown format, or exceeds its limits`);
    }

    const isPepperGiven = values.peppered !== undefined && values.peppered !== '';
    const peppered = isPepperGiven ? readBoolean(values.peppered) : undefined;
    if (peppered === null && values.peppered !== null) return reject('peppered must be true or false');
    const disabledAt = emptyEnables && values.disabled_at === '' ? null : readTime(values.disabled_at);
    if (Number.isNaN(disabledAt)) return reject(`disabled_at ${NOT_A_TIME}`);
    const createdAt = readTime(values.created_at) ?? undefined;
    if (Number.isNaN(createdAt)) return reject(`created_at ${NOT_A_TIME}`);
    const emailConfirmedAt = readTime(values.email_confirmed_at);
    if (Number.isNaN(emailConfirmedAt)) return reject(`email_confirmed_at ${NOT_A_TIME}`);

    const times = { emailConfirmedAt, disabledAt, createdAt };
    return { line, id, email: normalizeEmail(email), passwordDigest, peppered, ...times };
  };
}

/** A row to store, by the columns of a file. */
export function columnsOfRow({ id, email, emailConfirmedAt, passwordDigest, peppered, disabledAt, createdAt }: Row) {
  const time = (at: number | null | undefined) => (typeof at === 'number' ? new Date(at) : at);
  const times = {
    email_confirmed_at: time(emailConfirmedAt),
    disabled_at: time(disabledAt),
    created_at: time(createdAt),
  };
  return { id, email, password_digest: passwordDigest, peppered, ...times };
}

const OTHER_COLUMNS = ['id', 'email', 'email_confirmed_at', 'peppered', 'disabled_at', 'created_at'];

/** The values that an import reads, but no digest of an unknown format: it may be a password. Other columns may be secret too. */
function columnsOf(values: SourceRecord['values'], passwords: Passwords): { [column: string]: unknown } {
  const isKnown = (digest: unknown) => typeof digest === 'string' && passwords.formOf(digest) !== undefined;
  const digests = DIGEST_COLUMNS.filter((name) => isKnown(values[name])).map((name) => [name, values[name]]);
  const others = OTHER_COLUMNS.filter((name) => isShort(values[name]));
  return Object.fromEntries([...others.map((name) => [name, values[name]]), ...digests]);
}

function isShort(value: unknown): boolean {
  return typeof value === 'string'
    ? value.length <= 254
    : ['number', 'boolean'].includes(typeof value) || value === null;
}

function isEmpty(value: unknown): boolean {
  return value === null || value === '';
}

/** Undefined where there is none. Django's that begin with `!` are none. */
function readDigest(value: unknown, scryptParameters: ScryptCost | undefined): string | undefined {
  if (value === undefined || isEmpty(value)) return undefined;
  const digest = typeof value === 'string' ? value : '';
  if (digest.startsWith(NO_PASSWORD)) return undefined;
  return scryptParameters ? withScryptParameters(digest, scryptParameters) : digest;
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
 * @returns null if it is not a boolean
 */
function readBoolean(value: unknown): boolean | null {
  return TRUE.includes(value) || (FALSE.includes(value) ? false : null);
}

/** PostgreSQL has no year 0, and neither database keeps the order of years of five digits. */
const FIRST_TIME = Date.parse('0001-01-01T00:00:00Z');
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z');
const TIME = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?: ?(Z|UTC|[+-]\d\d(?::?\d\d)?))?$/;

/**
 * Reads a time in the formats of RFC 3339, SQL, and the exports of databases. The default zone is UTC.
 *
 * @returns milliseconds since the epoch; NaN if it is not a time, undefined if it is missing or an empty cell
 */
export function readTime(value: unknown): number | null | undefined {
  if (value === undefined || value === '') return undefined;
  if (value === null) return null;
  const [, day, time, fraction = '', zone = 'Z'] = (typeof value === 'string' && TIME.exec(value)) || [];
  if (day === undefined) return Number.NaN;
  const offset = /^[+-]/.test(zone) ? `${zone.replace(':', '')}00`.replace(/^(.\d\d)(\d\d).*/, '$1:$2') : 'Z';
  // JavaScript reads February 30 as March 2.
  if (new Date(`${day}T00:00Z`).getUTCDate() !== Number(day.slice(-2))) return Number.NaN;
  const at = Date.parse(`${day}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}${offset}`);
  return at >= FIRST_TIME && at <= LAST_TIME ? at : Number.NaN;
}
