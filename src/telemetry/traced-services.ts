import { SpanKind } from '@opentelemetry/api';
import {
  ATTR_DB_COLLECTION_NAME,
  ATTR_DB_OPERATION_NAME,
  ATTR_DB_SYSTEM_NAME,
} from '@opentelemetry/semantic-conventions';
import type { DatabaseUrl } from '../config/config.js';
import type { Services } from '../contract/handler.js';
import type { Database } from '../database/database.js';
import type { Tracing } from './tracing.js';

export type TraceableServices = Pick<Services, 'database' | 'passwords' | 'admission'>;

/** The same services; what a login spends its time on gets a span. */
export function traceServices(
  { database, passwords, admission }: TraceableServices,
  provider: DatabaseUrl['provider'],
  tracing: Tracing,
): TraceableServices {
  return {
    database: traceDatabase(database, provider, tracing),
    passwords: {
      ...passwords,
      verify: (password, digest) => tracing.inSpan('verify password', {}, () => passwords.verify(password, digest)),
    },
    admission: {
      ...admission,
      // What it has in it before the password is verified is the wait for a core.
      run: (task, client) => tracing.inSpan('admission', {}, () => admission.run(task, client)),
    },
  };
}

/** What a login asks of the database gets a span by OpenTelemetry's conventions for database clients. */
function traceDatabase(
  { throttleCounters: counters, ...database }: Database,
  provider: DatabaseUrl['provider'],
  tracing: Tracing,
): Database {
  const ask = <T>(operation: string, table: string, question: () => Promise<T>): Promise<T> => {
    const attributes = {
      [ATTR_DB_SYSTEM_NAME]: provider,
      [ATTR_DB_OPERATION_NAME]: operation,
      [ATTR_DB_COLLECTION_NAME]: table,
    };
    return tracing.inSpan(`${operation} ${table}`, { kind: SpanKind.CLIENT, attributes }, question);
  };
  return {
    ...database,
    findForLogin: (...args) => ask('SELECT', 'users', () => database.findForLogin(...args)),
    throttleCounters: {
      ...counters,
      countFailure: (counts, now) => ask('INSERT', 'throttle_counters', () => counters.countFailure(counts, now)),
      remove: (key) => ask('DELETE', 'throttle_counters', () => counters.remove(key)),
    },
  };
}
