/** The files in deploy/ and compose.yaml that CI can't run: the parsers of their tools accept them, and the service their settings. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { readConfig } from '#built/config/config.js';
import { command } from '../test/support/command.js';
import { installPythonTool, noPython } from './python-tool.js';

/** The parser of `docker compose`. */
const COMPOSE_GO = 'github.com/compose-spec/compose-go/v2/cmd@v2.16.2';
const SECRETS = ['admin_tokens', 'database_url', 'grafana_password', 'jwt_secret', 'postgresql_password'];
/** Seconds that a stop takes at most, after SHUTDOWN_DELAY_SECONDS. */
const STOP = 25;

const root = fileURLToPath(new URL('../', import.meta.url));
const noGo = spawnSync('go', ['version']).error !== undefined && 'not run here: no go';

t.setTimeout(300_000);

/** A directory with compose.yaml and its files, as a umask of 077 checks them out, and its secrets. */
async function checkOut(t: Test) {
  const cwd = t.testdir();
  for (const name of ['compose.yaml', 'deploy', 'monitoring'])
    await cp(`${root}${name}`, `${cwd}/${name}`, { recursive: true });
  await command(cwd, 'chmod', '-R', 'go-rwx', '.');
  const setUp = () => command(cwd, 'sh', '-c', 'umask 077; deploy/setup.sh');
  t.match(await setUp(), { code: 0, output: /secrets\/jwt_secret created/ });
  return { cwd, setUp };
}

async function secretsIn(cwd: string): Promise<string[]> {
  t.same((await readdir(`${cwd}/secrets`)).sort(), SECRETS);
  return Promise.all(SECRETS.map((name) => readFile(`${cwd}/secrets/${name}`, 'utf8')));
}

const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

/** Settings as a container has them, with its secrets in another directory. */
function checkSettings(t: Test, env: { [name: string]: string }, secrets: string) {
  const moved = Object.entries(env).map(([name, value]) => [
    name,
    value.replace(/^\/run\/secrets(\/sessions-api)?/, secrets),
  ]);
  const { warnings, databaseUrl, shutdownDelaySeconds } = readConfig(Object.fromEntries(moved), { issuesTokens: true });
  t.same(warnings, []);
  t.match(databaseUrl, { provider: 'postgresql', href: /@postgresql\/sessions$/ });
  return { shutdownDelaySeconds };
}

t.test('deploy/setup.sh creates what is missing, and changes nothing', async (t) => {
  const { cwd, setUp } = await checkOut(t);
  const created = await secretsIn(cwd);
  t.equal(new Set(created).size, SECRETS.length);
  t.equal(await modeOf(`${cwd}/secrets`), 0o700);
  for (const file of [...SECRETS.map((name) => `secrets/${name}`), 'deploy/haproxy.cfg', 'monitoring/alerts.yaml'])
    t.equal((await modeOf(`${cwd}/${file}`)) & 0o044, 0o044, `a container's user reads ${file}`);

  await rm(`${cwd}/secrets/grafana_password`);
  await writeFile(`${cwd}/secrets/jwt_secret`, 'of the operator');
  t.match(await setUp(), { code: 0, output: /jwt_secret exists[\s\S]*grafana_password created/ });
  const [adminTokens, databaseUrl, grafanaPassword, jwtSecret, postgresqlPassword] = await secretsIn(cwd);
  t.same([adminTokens, databaseUrl, postgresqlPassword], [created[0], created[1], created[4]]);
  t.equal(jwtSecret, 'of the operator');
  t.not(grafanaPassword, created[2]);
});

t.test('production files that a umask of 077 creates', async (t) => {
  const cwd = t.testdir();
  const copy = `umask 077; npm run --silent production-files -- ${cwd}/release`;
  t.match(await command(root, 'sh', '-c', copy), { code: 0 });
  const unreadable = ['(', '!', '-perm', '-a+r', '-o', '-type', 'd', '!', '-perm', '-a+x', ')'];
  t.same(
    await command(cwd, 'find', 'release', ...unreadable),
    { code: 0, output: '' },
    'are for the user of the service too',
  );
  t.match(await command(cwd, 'node', 'release/dist/main.js', '--version'), { code: 0 });
});

t.test('compose.yaml', { skip: noGo }, async (t) => {
  const bin = `${root}node_modules/.cache/${COMPOSE_GO}`;
  if (!existsSync(bin)) {
    const env = { ...process.env, GOBIN: bin };
    t.match(await command({ cwd: root, env }, 'go', 'install', COMPOSE_GO), { code: 0 });
  }
  const { cwd } = await checkOut(t);
  const env = { ...process.env, COMPOSE_PROFILES: 'monitoring' };
  const { code, output } = await command({ cwd, env }, `${bin}/cmd`, '-format', 'json', 'compose.yaml');
  t.equal(code, 0, 'is valid', { output });
  const { services } = JSON.parse(output);
  t.same(Object.keys(services).sort(), [
    'grafana',
    'postgresql',
    'prometheus',
    'proxy',
    'sessions-one',
    'sessions-two',
  ]);
  for (const [name, service] of Object.entries<{ volumes?: { type: string; source: string }[] }>(services)) {
    t.match(service, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] }, name);
    t.match(service, { mem_limit: /^\d+[mg]$/, pids_limit: Number, logging: { options: { 'max-file': '5' } } }, name);
    for (const { type, source } of service.volumes ?? []) if (type === 'bind') t.ok(existsSync(source), source);
  }
  t.same(Object.keys(services.postgresql.networks), ['database'], 'only the service reaches PostgreSQL');
  const { environment, stop_grace_period } = services['sessions-one'];
  const { shutdownDelaySeconds } = checkSettings(t, environment, `${cwd}/secrets`);
  t.ok(Number.parseInt(stop_grace_period, 10) >= shutdownDelaySeconds + STOP, stop_grace_period);
});

t.test('the manifests for Kubernetes', { skip: noPython }, async (t) => {
  const kubernetesValidate = await installPythonTool(t, 'kubernetes-validate');
  const directory = `${root}deploy/kubernetes`;
  const files = (await readdir(directory)).map((file) => `${directory}/${file}`);
  const { code, output } = await command(root, kubernetesValidate, '--strict', ...files);
  t.equal(code, 0, 'are valid', { output });
  t.equal(output.match(/ passed /g)?.length, files.length);

  const { spec } = parse(await readFile(`${directory}/deployment.yaml`, 'utf8')).spec.template;
  const [{ env }] = spec.containers;
  const variables = Object.fromEntries(env.map(({ name, value }: { name: string; value: string }) => [name, value]));
  const { cwd } = await checkOut(t);
  const { shutdownDelaySeconds } = checkSettings(t, variables, `${cwd}/secrets`);
  t.ok(spec.terminationGracePeriodSeconds >= shutdownDelaySeconds + STOP);
});
