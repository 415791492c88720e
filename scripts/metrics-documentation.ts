import type { Contract } from '../src/contract/contract.js';
import { createMetrics } from '../src/telemetry/metrics.js';

/** Labels of a histogram's own. */
const BUCKET = 'le';

/** Writes Markdown: what each metric of the service means, in its own words. */
export async function metricsDocumentation(contract: Contract): Promise<string> {
  const metrics = await createMetrics(contract).registry.getMetricsAsJSON();
  const rows = metrics
    .filter(({ name }) => name.startsWith('sessions_'))
    .map(({ name, type, help, values }) => {
      const labels = new Set(values.flatMap((value) => Object.keys(value.labels)).filter((label) => label !== BUCKET));
      return `| \`${name}\` | ${type} | ${[...labels].map((label) => `\`${label}\``).join(', ')} | ${help} |`;
    });
  return `# Metrics

\`GET /metrics\` on \`METRICS_PORT\`, for Prometheus. \`npm run docs\` writes this page from the metrics themselves. Beside these
there are prom-client's own for the process: \`process_*\` and \`nodejs_*\`, such as \`nodejs_eventloop_lag_p99_seconds\`.

| metric | type | labels | what it is |
|---|---|---|---|
${rows.join('\n')}

No label has a value that a client can choose. Known label values start at 0, so the first event shows in a rate.

[monitoring/dashboard.json](../monitoring/dashboard.json) is a dashboard for Grafana,
[monitoring/alerts.yaml](../monitoring/alerts.yaml) are alerts for Prometheus, which take the scrape job to be called
\`sessions-api\`:

\`\`\`yaml
rule_files: [alerts.yaml]
scrape_configs:
  - job_name: sessions-api
    static_configs:
      - targets: ['sessions-api:9464']
\`\`\`
`;
}
