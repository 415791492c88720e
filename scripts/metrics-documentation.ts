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
      const labels = new Map<string, Set<string>>();
      for (const [label, value] of values.flatMap((sample) => Object.entries(sample.labels))) {
        if (label !== BUCKET) labels.set(label, (labels.get(label) ?? new Set()).add(`\`${value}\``));
      }
      // Of the statuses of requests only some are known before they come.
      const described = [...labels].map(([label, known]) =>
        [`\`${label}\``, ...(String(type) === 'counter' ? [[...known].join(', ')] : [])].join(': '),
      );
      return `| \`${name}\` | ${type} | ${described.join(', ')} | ${help} |`;
    });
  return `# Metrics

\`GET /metrics\` on \`METRICS_PORT\`, for Prometheus. \`npm run docs\` writes this page from the metrics themselves. prom-client adds
its own for the process: \`process_*\` and \`nodejs_*\`, such as \`nodejs_eventloop_lag_p99_seconds\`.

| metric | type | labels | what it is |
|---|---|---|---|
${rows.join('\n')}

Clients can't choose the value of a label. Known label values start at 0, so the first event shows in a rate.
\`operation\` is an \`operationId\` of the contract, or \`unknown\`.

[monitoring/dashboard.json](../monitoring/dashboard.json) is a dashboard for Grafana,
[monitoring/alerts.yaml](../monitoring/alerts.yaml) has alerts for Prometheus. They expect a scrape job named
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
