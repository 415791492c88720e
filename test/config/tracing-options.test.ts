import t from 'tap';
import { readTracingOptions } from '#built/config/tracing-options.js';

function read(set: NodeJS.ProcessEnv) {
  const faults: string[] = [];
  return { tracing: readTracingOptions(set, faults), faults };
}

const DEFAULTS = { exporter: 'otlp', protocol: 'http/protobuf', honoursTraceparent: true };
const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector:4318' };

t.test('what switches tracing on, and off', async (t) => {
  t.same(read(ENDPOINT).tracing, DEFAULTS);
  t.same(read({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'https://collector/v1/traces' }).tracing, DEFAULTS);
  t.same(read({ OTEL_TRACES_EXPORTER: 'otlp' }).tracing, DEFAULTS);
  t.same(read({ OTEL_TRACES_EXPORTER: 'console' }).tracing, { ...DEFAULTS, exporter: 'console' });
  for (const off of [
    {},
    { OTEL_SDK_DISABLED: 'true' },
    { OTEL_SDK_DISABLED: 'TRUE' },
    { OTEL_TRACES_EXPORTER: 'none' },
  ]) {
    const wrong = { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
    const endpoint = Object.keys(off).length > 0 ? ENDPOINT : {};
    t.same(read({ ...endpoint, ...wrong, ...off }), { tracing: undefined, faults: [] }, JSON.stringify(off));
  }
});

t.test('what is for traces alone goes first', async (t) => {
  const env = {
    ...ENDPOINT,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf',
    OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json',
  };
  t.equal(read(env).tracing?.protocol, 'http/json');
});

t.test('what each variable takes', async (t) => {
  const right: NodeJS.ProcessEnv = {
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic%20YTpi==,x-scope=a,',
    OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '500',
    OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    OTEL_EXPORTER_OTLP_CERTIFICATE: 'package.json',
    OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
    OTEL_SERVICE_NAME: 'logins',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=production,service.namespace=identity%20team',
    OTEL_BSP_SCHEDULE_DELAY: '0',
  };
  t.same(read({ ...ENDPOINT, ...right }), { tracing: DEFAULTS, faults: [] });
  const honours = (OTEL_PROPAGATORS: string) => read({ ...ENDPOINT, OTEL_PROPAGATORS }).tracing?.honoursTraceparent;
  t.equal(honours('baggage, tracecontext'), true);
  t.equal(honours('none'), false);
});

const wrong: { [name: string]: string[] } = {
  OTEL_TRACES_EXPORTER: ['zipkin', 'otlp,console'],
  OTEL_EXPORTER_OTLP_ENDPOINT: ['collector:4318', 'http://'],
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ['grpc://collector:4317'],
  OTEL_EXPORTER_OTLP_PROTOCOL: ['grpc'],
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: ['grpc'],
  OTEL_EXPORTER_OTLP_HEADERS: ['s3cret', '=s3cret', 'api-key=', 'api-key=%s3cret'],
  OTEL_EXPORTER_OTLP_TIMEOUT: ['0', '10s'],
  OTEL_EXPORTER_OTLP_COMPRESSION: ['zstd'],
  OTEL_EXPORTER_OTLP_CERTIFICATE: ['not/there.pem'],
  OTEL_TRACES_SAMPLER: ['jaeger_remote', 'often'],
  OTEL_TRACES_SAMPLER_ARG: ['1.5', '-1', '50%'],
  OTEL_PROPAGATORS: ['b3', 'tracecontext,jaeger'],
  OTEL_RESOURCE_ATTRIBUTES: ['production', 'a=b=c', 'a=%zz'],
  OTEL_BSP_MAX_QUEUE_SIZE: ['0', 'many'],
};

for (const [name, values] of Object.entries(wrong)) {
  t.test(`what ${name} does not take`, async (t) => {
    for (const value of values) {
      const { tracing, faults } = read({ ...ENDPOINT, [name]: value });
      t.equal(tracing, undefined);
      t.equal(faults.length, 1, value);
      t.match(faults[0], new RegExp(`^${name} must `));
      t.notMatch(faults[0], 's3cret', 'the value is not told');
    }
  });
}
