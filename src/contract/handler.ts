import type { LogFields } from '../errors/http-error.js';
import type { operations, SecuritySchemes } from '../generated/contract.js';

export type OperationId = keyof operations;

type Content<Message> = Message extends { content: infer ByMediaType } ? ByMediaType[keyof ByMediaType] : undefined;
type Responses<Id extends OperationId> = operations[Id]['responses'];

type Headers<Message> = Message extends { headers: infer Declared }
  ? { [Name in keyof Declared as string extends Name ? never : Name]?: Declared[Name] }
  : never;

/** What a handler learns about the caller, by security scheme. */
export type Callers = {
  userToken: {
    userId: number;
    /** When the token expires, in seconds since the epoch. */
    exp: number;
    /** The session's id; undefined for a token of the Rails API, or of an earlier version. */
    sid: string | undefined;
  };
  adminToken: {
    /** The first 8 hex digits of the token's SHA-256: for the log. */
    fingerprint: string;
  };
};

/** By the operation's scheme; undefined where the contract asks for none. */
export type Caller<Id extends OperationId> = Id extends keyof SecuritySchemes
  ? Callers[SecuritySchemes[Id]]
  : undefined;

/** Who waits for the reply. An AbortSignal for each request would cost as much as SQLite's lookup. */
export type Client = {
  /** IPv4 or IPv6. */
  address: string;
  /** The first 255 characters. */
  userAgent: string | undefined;
  hasHungUp(): boolean;
  /**
   * Calls back when the client hangs up, once.
   *
   * @returns a function that removes the listener
   */
  onHangUp(listener: () => void): () => void;
};

/** The validated input of a handler. */
type Input<Id extends OperationId> = {
  body: Content<operations[Id]['requestBody']>;
  path: operations[Id]['parameters']['path'];
  query: operations[Id]['parameters']['query'];
  caller: Caller<Id>;
  client: Client;
  /** The scheme and host of the request; undefined where it has no host. */
  origin(): string | undefined;
};

/** The replies that the contract declares. */
export type Reply<Id extends OperationId> = {
  [Status in keyof Responses<Id>]: {
    status: Status;
    body: Content<Responses<Id>[Status]>;
    /** Those that are neither fixed nor computed. */
    headers?: Headers<Responses<Id>[Status]>;
    log?: LogFields;
  };
}[keyof Responses<Id>];

/** @typeParam Services - what the handler needs beside its input */
export type Handler<Id extends OperationId, Services = unknown> = (
  input: Input<Id>,
  services: Services,
) => Reply<Id> | Promise<Reply<Id>>;

/** Whether an operation declares 503. */
export type MayBeUnavailable<Id extends OperationId> = 503 extends keyof Responses<Id> ? true : false;
