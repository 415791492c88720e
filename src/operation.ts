import type { Contract } from './contract.js';
import type { Database } from './database.js';
import type { operations } from './generated/contract.js';
import type { PasswordUpgrades } from './password-upgrades.js';
import type { Passwords } from './passwords.js';

/** What handlers may need beside their input. */
export type Services = {
  contract: Contract;
  database: Database;
  passwords: Passwords;
  passwordUpgrades: PasswordUpgrades;
  /** Makes the JSON Web Token of a user. */
  issueToken(userId: number): string;
};

/** A database that does not answer is a 503; so an operation that does not declare one gets no database. */
type ServicesOf<Id extends OperationId> = 503 extends keyof Responses<Id> ? Services : Omit<Services, 'database'>;

type Operations = operations;
export type OperationId = keyof Operations;

type Content<Message> = Message extends { content: infer ByMediaType } ? ByMediaType[keyof ByMediaType] : undefined;
type Responses<Id extends OperationId> = Operations[Id]['responses'];

/** What the contract lets through to the operation's handler. */
export type Input<Id extends OperationId> = {
  body: Content<Operations[Id]['requestBody']>;
  path: Operations[Id]['parameters']['path'];
  query: Operations[Id]['parameters']['query'];
};

/** What the contract lets the operation's handler answer. */
export type Reply<Id extends OperationId> = {
  [Status in keyof Responses<Id>]: { status: Status; body: Content<Responses<Id>[Status]> };
}[keyof Responses<Id>];

export type Handler<Id extends OperationId> = (
  input: Input<Id>,
  services: ServicesOf<Id>,
) => Reply<Id> | Promise<Reply<Id>>;
