import { accessSync, constants } from 'node:fs';
import { cleanEnv } from 'envalid';
import type { TracingOptions } from '../telemetry/tracing.js';
import { isPercentEncoded } from '../text/percent-encoding.js';
import { addTo, integer, oneOf, text, validator } from './env-validators.js';

const EXPORTERS = ['otlp', 'console'] as const satisfies TracingOptions['exporter'][];
const PROTOCOLS = ['http/protobuf', 'http/json'] as const satisfies TracingOptions['protocol'][];
const SAMPLERS = ['always_on', 'always_off', 'traceidratio'].flatMap((name) => [name, `parentbased_${name}`]);
const PROPAGATORS = ['tracecontext', 'baggage', 'none'];
/** The longest that a timer takes, in milliseconds. */
const LONGEST = 2 ** 31 - 1;

/**
 * Reads OpenTelemetry's own variables, where they switch tracing on. Its SDK reads most of them by itself, but falls back to
 * a default where one is invalid.
 *
 * @param set - the variables that are not empty
 * @param faults - receives the errors, by variable
 * @returns undefined where tracing is off, or a variable is invalid
 */
export function readTracingOptions(set: NodeJS.ProcessEnv, faults: string[]): TracingOptions | undefined {
  if (!isOn(set)) return undefined;
  const reporter = addTo(faults);
  const values = cleanEnv(
    set,
    {
      OTEL_TRACES_EXPORTER: oneOf(EXPORTERS, { default: 'otlp' }),
      OTEL_EXPORTER_OTLP_PROTOCOL: oneOf(PROTOCOLS, { default: 'http/protobuf' }),
      OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: oneOf(PROTOCOLS, { default: undefined }),
      OTEL_TRACES_SAMPLER: oneOf(SAMPLERS, { default: undefined }),
      OTEL_TRACES_SAMPLER_ARG: probability({ default: undefined }),
      OTEL_PROPAGATORS: includesTraceContext({ default: true }),
      OTEL_SERVICE_NAME: text({ default: undefined }),
      OTEL_RESOURCE_ATTRIBUTES: pairs(/^[^=]*$/)({ default: undefined }),
      OTEL_BSP_SCHEDULE_DELAY: integer(0, LONGEST, { default: undefined }),
      OTEL_BSP_EXPORT_TIMEOUT: integer(1, LONGEST, { default: undefined }),
      OTEL_BSP_MAX_QUEUE_SIZE: integer(1, LONGEST, { default: undefined }),
      OTEL_BSP_MAX_EXPORT_BATCH_SIZE: integer(1, LONGEST, { default: undefined }),
    },
    { reporter },
  );
  for (const prefix of ['OTEL_EXPORTER_OTLP_', 'OTEL_EXPORTER_OTLP_TRACES_']) {
    cleanEnv(set, Object.fromEntries(OF_EXPORTER.map(([name, spec]) => [`${prefix}${name}`, spec])), { reporter });
  }
  if (faults.length > 0) return undefined;
  return {
    exporter: values.OTEL_TRACES_EXPORTER,
    protocol: values.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL ?? values.OTEL_EXPORTER_OTLP_PROTOCOL,
    honoursTraceparent: values.OTEL_PROPAGATORS,
  };
}

function isOn(set: NodeJS.ProcessEnv): boolean {
  if (set.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return false;
  const hasEndpoint = set.OTEL_EXPORTER_OTLP_ENDPOINT ?? set.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT;
  return (set.OTEL_TRACES_EXPORTER ?? (hasEndpoint ? 'otlp' : 'none')) !== 'none';
}

const httpUrl = validator('a URL that begins with http:// or https://', (value) =>
  /^https?:\/\//i.test(value) && URL.canParse(value) ? value : undefined,
);

const readableFile = validator('a file that can be read', (value) => {
  try {
    accessSync(value, constants.R_OK);
    return value;
  } catch {
    return undefined;
  }
});

const probability = validator('a number from 0 to 1', (value) =>
  /^\d*\.?\d+$/.test(value) && Number(value) <= 1 ? Number(value) : undefined,
);

const includesTraceContext = validator(`a list of ${PROPAGATORS.join(', ')}`, (value) => {
  const names = value.split(',').map((name) => name.trim());
  return names.every((name) => PROPAGATORS.includes(name)) ? names.includes('tracecontext') : undefined;
});

const pairs = (valuePattern: RegExp) =>
  validator('a list of NAME=VALUE, percent-encoded', (value) => {
    const isPair = (pair: string) => {
      const [, rest] = pair.match(/^[^=]*[^=\s][^=]*=(.*)$/) ?? [];
      return rest !== undefined && valuePattern.test(rest) && isPercentEncoded(pair);
    };
    return value.split(',').every((pair) => pair.trim() === '' || isPair(pair)) ? value : undefined;
  });

/** The exporter's variables, for all signals or for traces alone; only the SDK uses them. */
const OF_EXPORTER = Object.entries({
  ENDPOINT: httpUrl({ default: undefined }),
  HEADERS: pairs(/./)({ default: undefined }),
  TIMEOUT: integer(1, LONGEST, { default: undefined }),
  COMPRESSION: oneOf(['gzip', 'none'], { default: undefined }),
  CERTIFICATE: readableFile({ default: undefined }),
  CLIENT_CERTIFICATE: readableFile({ default: undefined }),
  CLIENT_KEY: readableFile({ default: undefined }),
});
