/** The alerts and the dashboard, in a Prometheus that scrapes the built service. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { command } from '../test/support/command.js';
import { run, start } from '../test/support/executable.js';
import { metricsUrlOf, type Scrape, scrape } from '../test/support/scrape.js';
import { FORM, send } from '../test/support/send.js';
import { freePort } from '../test/support/temporary-postgresql.js';

/** Debian's. */
const PROMETHEUS = '/usr/bin/prometheus';
const noPrometheus = !existsSync(PROMETHEUS) && `there is no ${PROMETHEUS}`;

const root = fileURLToPath(new URL('../', import.meta.url));
const JOB = 'sessions-api';
/** Milliseconds in which Prometheus, which scrapes each second, has to have seen something. */
const SEEN_WITHIN = 30_000;

type Rule = { alert: string; expr: string; annotations: { [name: string]: string } };
type Dashboard = {
  panels: { title: string; targets: { expr: string }[] }[];
  templating: { list: { definition?: string }[] };
};

const rulesFile = `${root}monitoring/alerts.yaml`;
const rules: Rule[] = parse(await readFile(rulesFile, 'utf8')).groups.flatMap(({ rules }: { rules: Rule[] }) => rules);
const dashboard: Dashboard = JSON.parse(await readFile(`${root}monitoring/dashboard.json`, 'utf8'));
const panelQueries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => ({ title, query: fillIn(expr) })),
);

/** As Grafana does before it asks. */
function fillIn(expr: string): string {
  return expr.replaceAll('$job', JOB).replaceAll('$instance', '.+').replaceAll('$__rate_interval', '10s');
}

/** The names in a query of PromQL, each with its matchers. */
function selectorsOf(query: string): { name: string; matchers: string }[] {
  const withoutGroups = query.replaceAll(/\b(by|without|on|ignoring) \([^)]*\)/g, '');
  return [...withoutGroups.matchAll(/\b([a-zA-Z_:][\w:]*)(\{[^}]*\})?(?![\w:]*\s*\()/g)]
    .map(([, name = '', matchers = '']) => ({ name, matchers }))
    .filter(({ name }) => !['and', 'or', 'unless', 'bool'].includes(name));
}

/** Starts the service, and has it answered a login of each common kind and a probe. */
async function startService(t: Test) {
  const cwd = t.testdir();
  await run(['users', 'add', 'foo@bar.com'], { cwd, input: 'correct horse' });
  const service = await start(t, { cwd, env: { METRICS_PORT: '0' } });
  const metricsUrl = await metricsUrlOf(service);
  const use = async () => {
    for (const password of ['correct horse', 'wrong', 'correct horse']) {
      const body = new URLSearchParams({ email: 'foo@bar.com', password }).toString();
      await send(service.url, { method: 'POST', path: '/api/v1/sessions', headers: FORM, body });
    }
    await send(service.url, { path: '/readyz' });
  };
  await use();
  return { service, metricsUrl, use, database: `${cwd}/data/sessions.db` };
}

function namesIn({ samples }: Scrape): Set<string> {
  return new Set([...samples.keys()].map((sample) => sample.replace(/\{.*/, '')));
}

/** Starts Prometheus on one target, with the alerts, and returns what asks it. */
async function startPrometheus(t: Test, target: string) {
  // Not the test's own directory: that holds the service's database, and would be emptied.
  const directory = await mkdtemp(`${tmpdir()}/sessions-api-prometheus-`);
  t.teardown(() => rm(directory, { recursive: true }));
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [rulesFile],
    scrape_configs: [{ job_name: JOB, static_configs: [{ targets: [target] }] }],
  };
  // JSON is YAML.
  await writeFile(`${directory}/prometheus.yml`, JSON.stringify(config));
  const address = `127.0.0.1:${await freePort()}`;
  const child = spawn(
    PROMETHEUS,
    [
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=${address}`,
    ],
    { stdio: 'ignore' },
  );
  t.teardown(async () => {
    child.kill();
    await once(child, 'exit');
  });
  const ask = async (path: string) => JSON.parse((await send(`http://${address}`, { path: `/api/v1/${path}` })).body);
  return {
    query: async (query: string): Promise<{ status: string; error?: string; data: { result: unknown[] } }> =>
      ask(`query?${new URLSearchParams({ query })}`),
    alerts: async () => (await ask('alerts')).data.alerts,
    rules: async () => (await ask('rules')).data.groups.flatMap(({ rules }: { rules: object[] }) => rules),
  };
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SEEN_WITHIN;
  while (!(await condition().catch(() => false))) {
    if (performance.now() > deadline) throw new Error(`not within ${SEEN_WITHIN} ms: ${condition}`);
    await wait(200);
  }
}

t.setTimeout(180_000);

t.test('the alerts fire when they should', { skip: noPrometheus }, async (t) => {
  t.match(await command(root, 'promtool', 'check', 'config', 'monitoring/prometheus.yaml'), { code: 0 });
  t.match(await command(root, 'promtool', 'test', 'rules', 'monitoring/alerts.test.yaml'), { code: 0 });
  const tests = await readFile(`${root}monitoring/alerts.test.yaml`, 'utf8');
  for (const { alert, annotations } of rules) {
    t.match(tests, `ALERTS{alertname="${alert}", alertstate="firing"`, `${alert} is seen to fire`);
    t.same(Object.keys(annotations), ['summary', 'description', 'action'], 'and says what is to be done');
  }
});

t.test('every name is one that the service has', async (t) => {
  const { metricsUrl } = await startService(t);
  let scraped = await scrape(metricsUrl);
  // Of garbage collection there is nothing to tell until some was collected; each scrape leaves some behind.
  while (![...namesIn(scraped)].some((name) => name.startsWith('nodejs_gc_'))) scraped = await scrape(metricsUrl);
  const names = namesIn(scraped).add('up');
  const queries = [
    ...rules.map(({ alert, expr }) => ({ title: alert, query: expr })),
    ...panelQueries,
    ...dashboard.templating.list.map(({ definition = '' }) => ({
      title: 'a variable',
      query: definition.replace(/^label_values\((.*), \w+\)$/, '$1'),
    })),
  ];
  for (const { title, query } of queries) {
    for (const { name } of selectorsOf(query)) t.ok(names.has(name), `${title}: ${name}`);
  }
  t.notOk(names.has('sessions_login_total'), 'a name that it has not');

  const documented = (await readFile(`${root}docs/metrics.md`, 'utf8')).matchAll(/^\| `(\w+)` \| (\w+) \|/gm);
  const own = [...scraped.types].filter(([name]) => name.startsWith('sessions_'));
  t.same(
    [...documented].map(([, name, type]) => [name, type]),
    own,
    'and docs/metrics.md has them all',
  );
});

t.test('promtool finds the names good', { skip: noPrometheus }, async (t) => {
  const { metricsUrl } = await startService(t);
  const lines = (await scrape(metricsUrl)).text.split('\n').filter((line) => /^(# \w+ )?sessions_/.test(line));
  const child = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(`${lines.join('\n')}\n`);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  t.same({ code, stdout, stderr }, { code: 0, stdout: '', stderr: '' });
});

t.test('Prometheus scrapes the service, and answers the dashboard', { skip: noPrometheus }, async (t) => {
  const { service, metricsUrl, use, database } = await startService(t);
  const instance = new URL(metricsUrl).host;
  const prometheus = await startPrometheus(t, instance);
  const has = async (query: string) => (await prometheus.query(query)).data.result.length > 0;
  await until(() => has('count_over_time(sessions_logins_total{outcome="succeeded"}[10s]) > 2'));
  await use();
  await until(() => has('rate(sessions_logins_total{outcome="wrong_password"}[10s]) > 0'));

  for (const { title, query } of panelQueries) {
    const { error } = await prometheus.query(query);
    t.equal(error, undefined, title);
    // Garbage is not collected between all scrapes.
    await until(() => has(query));
  }
  for (const { alert, expr } of rules) {
    for (const { name, matchers } of selectorsOf(expr)) {
      t.ok(await has(`${name}${matchers}`), `${alert}: ${name}${matchers} is something that there is`);
    }
  }
  await until(async () => (await prometheus.rules()).every(({ health }: { health: string }) => health === 'ok'));
  t.equal((await prometheus.rules()).length, rules.length);
  t.same(await prometheus.alerts(), [], 'all is well');

  const pending = async (name: string) =>
    (await prometheus.alerts()).find(({ labels }: { labels: { alertname: string } }) => labels.alertname === name);
  await rename(database, `${database}-away`);
  await until(async () => (await pending('SessionsApiDatabaseUnavailable')) !== undefined);
  t.pass('the database is missed, though nobody logs in or asks /readyz');
  await rename(`${database}-away`, database);
  await until(async () => (await pending('SessionsApiDatabaseUnavailable')) === undefined);

  service.kill('SIGTERM');
  t.equal(await service.exited, 0);
  await until(async () => (await pending('SessionsApiDown')) !== undefined);
  const down = await pending('SessionsApiDown');
  t.match(down, { labels: { instance }, state: 'pending' });
  t.equal(down.annotations.description, `${instance} has not been scraped for a minute.`);
});
