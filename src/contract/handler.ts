import type { Database } from '../database/database.js';
import type { operations } from '../generated/contract.js';
import type { Admission } from '../passwords/hash-queue.js';
import type { PasswordUpgrades } from '../passwords/password-upgrades.js';
import type { Passwords } from '../passwords/passwords.js';
import type { Budget, Throttle } from '../throttle/throttle.js';
import type { Client } from './client.js';
import type { Contract } from './contract.js';

/** What handlers may need beside their input. */
export type Services = {
  contract: Contract;
  database: Database;
  passwords: Passwords;
  passwordUpgrades: PasswordUpgrades;
  /** What takes a core for a while runs through here. */
  admission: Admission;
  throttle: Throttle;
  /** Aborts when the service is told to stop. */
  stopping: AbortSignal;
  /** Makes the JSON Web Token of a user. */
  issueToken(userId: number): string;
};

/** A database that does not answer is a 503; so an operation that does not declare one gets nothing that may end so. */
type ServicesOf<Id extends OperationId> = 503 extends keyof Responses<Id>
  ? Services
  : Omit<Services, 'database' | 'admission' | 'throttle'>;

type Operations = operations;
export type OperationId = keyof Operations;

type Content<Message> = Message extends { content: infer ByMediaType } ? ByMediaType[keyof ByMediaType] : undefined;
type Responses<Id extends OperationId> = Operations[Id]['responses'];

/** What the contract lets through to the operation's handler. */
export type Input<Id extends OperationId> = {
  body: Content<Operations[Id]['requestBody']>;
  path: Operations[Id]['parameters']['path'];
  query: Operations[Id]['parameters']['query'];
  client: Client;
  /** The scheme and host by which the client reached the service; undefined where it does not tell the host. */
  origin: string | undefined;
};

/** How a login may end: as its operation says, or with a failure that the error handler names, or without an answer. */
export const OUTCOMES = [
  'succeeded',
  'unknown_email',
  'wrong_password',
  'disabled',
  'throttled',
  'overloaded',
  'database_unavailable',
  'client_gone',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** What a request adds to its line in the log. The budget is the one that is used up, where it is throttled. */
export type LogFields = { outcome: Outcome; userId?: number | undefined; budget?: Budget };

/** What the contract lets the operation's handler answer. */
export type Reply<Id extends OperationId> = {
  [Status in keyof Responses<Id>]: { status: Status; body: Content<Responses<Id>[Status]>; log?: LogFields };
}[keyof Responses<Id>];

export type Handler<Id extends OperationId> = (
  input: Input<Id>,
  services: ServicesOf<Id>,
) => Reply<Id> | Promise<Reply<Id>>;
