import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import {
  type Attributes,
  type Context,
  DiagLogLevel,
  defaultTextMapGetter,
  diag,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  type SpanOptions,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, ConsoleSpanExporter } from '@opentelemetry/sdk-trace-base';
import {
  ATTR_DB_COLLECTION_NAME,
  ATTR_DB_OPERATION_NAME,
  ATTR_DB_SYSTEM_NAME,
  ATTR_ERROR_TYPE,
  ATTR_SERVICE_NAME,
  ATTR_SERVICE_VERSION,
} from '@opentelemetry/semantic-conventions';

// Loaded only where tracing is on.

/** Without gRPC: it would be larger than all the rest, and what takes it takes HTTP too. */
export type TracingOptions = {
  exporter: 'otlp' | 'console';
  /** Of the exporter `otlp`. */
  protocol: 'http/protobuf' | 'http/json';
  /** Whether a request's `traceparent` is honoured. */
  honoursTraceparent: boolean;
};

export type Tracing = {
  /** Starts the span of a request, below the one that its `traceparent` names. A malformed `traceparent` is ignored. */
  startServerSpan(name: string, headers: IncomingHttpHeaders, attributes: Attributes): Span;
  /** Runs something, and all that it starts, below a span. */
  below<T>(span: Span, task: () => T): T;
  /** Runs a task in a span of its own; in none where the request it belongs to is not sampled, or it belongs to none. */
  inSpan<T>(name: string, task: () => Promise<T>): Promise<T>;
  /** The same for a query, by OpenTelemetry's conventions for database clients. */
  inDatabaseSpan<T>(query: { system: string; operation: string; table: string }, run: () => Promise<T>): Promise<T>;
  /** Sends what is still in memory, for as long as there is patience for that. Never throws. */
  stop(): Promise<void>;
};

type Log = { warn(message: string): void };

const NAME = 'sessions-api';
/** Milliseconds that a stop waits for a collector that does not answer. */
const STOP_TIMEOUT = 2_000;
/** Milliseconds between two warnings: without its collector each batch of spans fails. */
const WARN_EVERY = 60_000;

/** Starts OpenTelemetry's SDK, which reads most of its settings from its own variables. */
export async function startTracing(config: TracingOptions, version: string, log: Log): Promise<Tracing> {
  const warn = warnNowAndThen(log);
  const silent = () => {};
  const logger = { error: warn, warn, info: silent, debug: silent, verbose: silent };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  // A refused connection to a name with two addresses has a code and no message.
  setGlobalErrorHandler((error) => warn(typeof error === 'string' ? error : error.message || String(error.code)));

  const provider = new BasicTracerProvider({
    resource: defaultResource()
      .merge(resourceFromAttributes({ [ATTR_SERVICE_NAME]: NAME, [ATTR_SERVICE_VERSION]: version }))
      .merge(detectResources({ detectors: [serviceInstanceIdDetector, envDetector] })),
    spanProcessors: [new BatchSpanProcessor(await createExporter(config))],
  });
  const tracer = provider.getTracer(NAME, version);
  const propagator = config.honoursTraceparent ? new W3CTraceContextPropagator() : undefined;
  const current = new AsyncLocalStorage<Context>();

  async function inSpan<T>(name: string, options: SpanOptions, task: () => Promise<T>): Promise<T> {
    const parent = current.getStore();
    if (!parent || !trace.getSpan(parent)?.isRecording()) return task();
    const span = tracer.startSpan(name, options, parent);
    try {
      return await current.run(trace.setSpan(parent, span), task);
    } catch (error) {
      // Its kind alone: its message may quote the request.
      span.setAttribute(ATTR_ERROR_TYPE, error instanceof Error ? error.constructor.name : typeof error);
      span.setStatus({ code: SpanStatusCode.ERROR });
      throw error;
    } finally {
      span.end();
    }
  }

  return {
    startServerSpan(name, headers, attributes) {
      const parent = propagator?.extract(ROOT_CONTEXT, headers, defaultTextMapGetter) ?? ROOT_CONTEXT;
      return tracer.startSpan(name, { kind: SpanKind.SERVER, attributes }, parent);
    },
    below: (span, task) => current.run(trace.setSpan(ROOT_CONTEXT, span), task),
    inSpan: (name, task) => inSpan(name, {}, task),
    inDatabaseSpan({ system, operation, table }, run) {
      const attributes = {
        [ATTR_DB_SYSTEM_NAME]: system,
        [ATTR_DB_OPERATION_NAME]: operation,
        [ATTR_DB_COLLECTION_NAME]: table,
      };
      return inSpan(`${operation} ${table}`, { kind: SpanKind.CLIENT, attributes }, run);
    },
    async stop() {
      const flushed = provider.shutdown().catch((error: Error) => warn(`spans are lost: ${error.message}`));
      const tooLate = wait(STOP_TIMEOUT, 'too late' as const, { ref: false });
      if ((await Promise.race([flushed, tooLate])) === 'too late') {
        log.warn(`tracing: spans are lost: not sent within ${STOP_TIMEOUT} ms`);
      }
    },
  };
}

async function createExporter({ exporter, protocol }: TracingOptions) {
  if (exporter === 'console') return new ConsoleSpanExporter();
  const { OTLPTraceExporter } =
    protocol === 'http/json'
      ? await import('@opentelemetry/exporter-trace-otlp-http')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter();
}

function warnNowAndThen(log: Log): (message: string) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (message) => {
    const now = performance.now();
    if (now - last < WARN_EVERY) return;
    last = now;
    log.warn(`tracing: ${message}`);
  };
}
