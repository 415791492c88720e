import type { Running } from './executable.js';
import { send } from './send.js';

export type Scrape = {
  text: string;
  /** The families, as the `# TYPE` lines have them: a histogram is one. */
  types: Map<string, string>;
  /** Each sample, as `name{label="value"}` with the labels in their order, and its value. */
  samples: Map<string, number>;
};

/** Where a service with METRICS_PORT=0 says that its metrics are. */
export async function metricsUrlOf(service: Running): Promise<string> {
  await service.written('metrics at');
  return service.output().match(/metrics at (http:[^"]+)/)?.[1] ?? '';
}

/** Reads what is served to Prometheus. */
export async function scrape(metricsUrl: string): Promise<Scrape> {
  const { status, body: text } = await send(metricsUrl, { path: '' });
  if (status !== 200) throw new Error(`${metricsUrl} answered ${status}`);
  const lines = text.split('\n');
  return {
    text,
    types: new Map(
      lines.flatMap((line) => {
        const [, name, type] = line.match(/^# TYPE (\S+) (\S+)$/) ?? [];
        return name && type ? [[name, type] as const] : [];
      }),
    ),
    samples: new Map(
      lines.flatMap((line) => {
        const [, sample, value] = line.match(/^([^# ].*) (\S+)$/) ?? [];
        return sample ? [[sample, Number(value)] as const] : [];
      }),
    ),
  };
}

/** The samples of one name, by the value of their one label. */
export function byLabel({ samples }: Scrape, name: string): { [value: string]: number } {
  return Object.fromEntries(
    [...samples].flatMap(([sample, count]) => {
      const [, value] = sample.match(new RegExp(`^${name}\\{\\w+="([^"]*)"\\}$`)) ?? [];
      return value === undefined ? [] : [[value, count]];
    }),
  );
}
