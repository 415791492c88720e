import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Contract } from '../contract/contract.js';
import type { OperationId } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import { FAILURE_OUTCOMES } from '../errors/http-error.js';
import type { HashQueue } from '../passwords/hash-queue.js';
import { AUTHENTICATIONS } from '../sessions/authenticate.js';
import { RENEWAL_OUTCOMES, REVOCATIONS } from '../sessions/sessions.js';
import { BUDGETS } from '../throttle/rules.js';
import { VERIFY_OUTCOMES } from '../users/verify-password.js';
import type { EndedRequest } from './ended-requests.js';

export type Metrics = {
  registry: Registry;
  requestEnded(request: EndedRequest): void;
  /** Counts a reply to a request that reached no hook. */
  requestUnreadable(status: number): void;
  databaseFailed(): void;
  logLineDropped(): void;
  /** @param times - in milliseconds */
  hashed(times: { waited: number; took: number }): void;
  watchHashQueue(queue: Pick<HashQueue, 'load'>): void;
  /** Pings the database at each scrape. */
  watchDatabase(database: Pick<Database, 'ping' | 'poolUse'>): void;
  /** Counts a reload at SIGHUP. */
  reloaded(outcome: ReloadOutcome): void;
};

const RELOAD_OUTCOMES = ['succeeded', 'failed'] as const;
export type ReloadOutcome = (typeof RELOAD_OUTCOMES)[number];

const LOGIN: OperationId = 'createSession';
/** For requests that reach no operation: clients choose their paths. */
const NO_OPERATION = 'unknown';
/** nginx's status for a client that hung up. */
const STATUS_CLIENT_GONE = 499;

/** Seconds. A hash takes from 1 ms (bcrypt, cost 4) to some seconds. */
const REQUEST_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const HASH_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
const WAIT_BUCKETS = [0.001, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/**
 * The service's metrics for Prometheus. Clients can't choose the value of a label. Known label values start at 0, so that the
 * first event shows in a rate.
 */
export function createMetrics({ version, operations }: Pick<Contract, 'version' | 'operations'>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  new Gauge({
    name: 'sessions_build_info',
    help: 'Always 1; the label has the version.',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1);

  const requests = new Histogram({
    name: 'sessions_request_duration_seconds',
    help: 'Duration of requests, by operation ("unknown" for other paths) and status (499 if the client hung up).',
    labelNames: ['operation', 'status'],
    buckets: REQUEST_BUCKETS,
    registers,
  });
  for (const { id, replies } of operations) {
    for (const status of replies.keys()) if (status >= 500) requests.zero({ operation: id, status });
  }

  function createCounter(name: string, help: string, label: string, known: readonly (string | number)[]) {
    const counter = new Counter({ name, help, labelNames: [label], registers });
    for (const value of known) counter.inc({ [label]: value }, 0);
    return (value: string | number) => counter.inc({ [label]: value });
  }
  const countLogin = createCounter(
    'sessions_logins_total',
    'Logins, by outcome as in the log. Refused requests (400, 413, 415) are not counted.',
    'outcome',
    [...VERIFY_OUTCOMES, ...FAILURE_OUTCOMES],
  );
  const countAuthentication = createCounter(
    'sessions_authentications_total',
    'Requests that need a token, by outcome.',
    'outcome',
    AUTHENTICATIONS,
  );
  const countRevocation = createCounter(
    'sessions_revocations_total',
    'Log-outs over HTTP: of one session, of all sessions of a user, or of all others.',
    'of',
    REVOCATIONS,
  );
  const countRenewal = createCounter(
    'sessions_renewals_total',
    'Renewals, by outcome: "repeated" returns the newest refresh token again, which is less than a minute old; "refresh_token_reused" has ended the session.',
    'outcome',
    RENEWAL_OUTCOMES,
  );
  const countThrottled = createCounter(
    'sessions_throttled_requests_total',
    'Logins answered with 429, by the exhausted budget of failures.',
    'budget',
    BUDGETS,
  );
  const countUnreadable = createCounter(
    'sessions_unreadable_requests_total',
    'Requests that could not be read (not HTTP, malformed URL, timeout), by status.',
    'status',
    [400, 408, 431],
  );

  let database: Parameters<Metrics['watchDatabase']>[0] | undefined;
  new Gauge({
    name: 'sessions_database_up',
    help: '1 if the database answers and can be written to, as /readyz asks; else 0. Each scrape asks it.',
    registers,
    async collect() {
      const isUp = database?.ping().then(
        () => 1,
        () => 0,
      );
      this.set((await isUp) ?? 0);
    },
  });
  new Gauge({
    name: 'sessions_database_connections',
    help: 'Connections to PostgreSQL: "used" by a query or being opened, or "idle". 0 on SQLite.',
    labelNames: ['state'],
    registers,
    collect() {
      const { used, idle } = database?.poolUse() ?? { used: 0, idle: 0 };
      this.set({ state: 'used' }, used);
      this.set({ state: 'idle' }, idle);
    },
  });
  new Gauge({
    name: 'sessions_database_waiting_queries',
    help: 'Queries that wait for a connection to PostgreSQL, because DATABASE_POOL_MAX are used. 0 on SQLite.',
    registers,
    collect() {
      this.set(database?.poolUse()?.waiting ?? 0);
    },
  });
  const databaseErrors = new Counter({
    name: 'sessions_database_errors_total',
    help: 'Queries that failed or timed out; the log has the reasons.',
    registers,
  });

  const countReload = createCounter(
    'sessions_reloads_total',
    'Reloads at SIGHUP, by outcome. A failed one applies none of its changes.',
    'outcome',
    RELOAD_OUTCOMES,
  );

  const droppedLogLines = new Counter({
    name: 'sessions_log_dropped_lines_total',
    help: 'Log lines that could not be written: the disk is full, or nobody reads the pipe.',
    registers,
  });

  const hashDurations = new Histogram({
    name: 'sessions_hash_duration_seconds',
    help: 'Duration of password hashes, for logins and for upgrades, without the wait.',
    buckets: HASH_BUCKETS,
    registers,
  });
  const hashWaits = new Histogram({
    name: 'sessions_hash_wait_seconds',
    help: 'Time that passwords waited for their hash. Refused logins are not counted.',
    buckets: WAIT_BUCKETS,
    registers,
  });
  let load: HashQueue['load'] = () => ({ running: 0, waiting: 0 });
  new Gauge({
    name: 'sessions_hash_queue_length',
    help: 'Passwords that are queued now.',
    registers,
    collect() {
      this.set(load().waiting);
    },
  });
  new Gauge({
    name: 'sessions_hashes_running',
    help: 'Passwords that are being hashed now.',
    registers,
    collect() {
      this.set(load().running);
    },
  });

  return {
    registry,
    requestEnded({ operationId = NO_OPERATION, status = STATUS_CLIENT_GONE, milliseconds, ...fields }) {
      const { outcome, budget, authentication, revoked, renewal } = fields;
      requests.observe({ operation: operationId, status }, milliseconds / 1000);
      if (outcome && operationId === LOGIN) countLogin(outcome);
      if (budget) countThrottled(budget);
      if (revoked) countRevocation(revoked);
      if (renewal) countRenewal(renewal);
      if (authentication) countAuthentication(authentication);
    },
    requestUnreadable: countUnreadable,
    databaseFailed: () => databaseErrors.inc(),
    logLineDropped: () => droppedLogLines.inc(),
    hashed({ waited, took }) {
      hashWaits.observe(waited / 1000);
      hashDurations.observe(took / 1000);
    },
    watchHashQueue(queue) {
      load = queue.load;
    },
    watchDatabase(watched) {
      database = watched;
    },
    reloaded: countReload,
  };
}
