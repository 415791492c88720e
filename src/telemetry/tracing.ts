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

// Loaded only if tracing is on.

/** Without gRPC, which is large; its collectors take HTTP too. */
export type TracingOptions = {
  exporter: 'otlp' | 'console';
  /** Of the exporter `otlp`. */
  protocol: 'http/protobuf' | 'http/json';
  /** Whether a request's `traceparent` is honoured. */
  honoursTraceparent: boolean;
};

export type Tracing = {
  /** Starts the span of a request, as a child of its `traceparent`; a malformed one is ignored. */
  startServerSpan(name: string, headers: IncomingHttpHeaders, attributes: Attributes): Span;
  /** Runs a task below a span. */
  below<T>(span: Span, task: () => T): T;
  /** Runs a task in a span, if it belongs to a request that is sampled. */
  inSpan<T>(name: string, task: () => Promise<T>): Promise<T>;
  /** The same for a query, by OpenTelemetry's conventions for database clients. */
  inDatabaseSpan<T>(query: { system: string; operation: string; table: string }, run: () => Promise<T>): Promise<T>;
  /** Sends the remaining spans, until a timeout. Never throws. */
  stop(): Promise<void>;
};

type Log = { warn(message: string): void };

const NAME = 'sessions-api';
/** Milliseconds for the remaining spans. */
const STOP_TIMEOUT = 2_000;
/** Milliseconds between warnings: without a collector each batch fails. */
const WARN_EVERY = 60_000;

/** Starts OpenTelemetry's SDK, which reads most of its own variables itself. */
export async function startTracing(config: TracingOptions, version: string, log: Log): Promise<Tracing> {
  const warn = warnNowAndThen(log);
  const silent = () => {};
  const logger = { error: warn, warn, info: silent, debug: silent, verbose: silent };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  // A refused connection to a name with two addresses has no message.
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
      // Not the message, which may quote the request.
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
