import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdir, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import { parseEnv, promisify } from 'node:util';
import type { Test } from 'tap';
import { send } from '../test/support/send.js';
import { freePort, signalPostgresql } from '../test/support/temporary-postgresql.js';
import { blocksOf } from './guide.js';

/** Debian's. */
const EXECUTABLES = {
  etcd: '/usr/bin/etcd',
  patroni: '/usr/bin/patroni',
  postgresql: '/usr/lib/postgresql/15/bin/postgres',
  haproxy: '/usr/sbin/haproxy',
};
/** The ports that the guide and the examples name. */
const PORTS = ['2379', '2380', '5432', '8008', '5000'];
/** All of 127.0.0.0/8 is this machine's. */
const ADDRESSES = { NODE_ONE: '127.0.0.11', NODE_TWO: '127.0.0.12', NODE_THREE: '127.0.0.13' };
const PASSWORDS = {
  PATRONI_PASSWORD: 'of-the-rest-api',
  POSTGRES_PASSWORD: 'of-the-superuser',
  REPLICATION_PASSWORD: 'of-the-replication',
  SESSIONS_PASSWORD: 'of-the-service',
};
/** Milliseconds for anything that the cluster is to become. */
const PATIENCE = 90_000;

/** The reason why there can be no cluster; false where there can. */
export const noPatroni = () => {
  const lacking = Object.values(EXECUTABLES).find((file) => !existsSync(file));
  return lacking !== undefined && `there is no ${lacking}`;
};

export type Node = {
  name: string;
  /** Whether Patroni says that its PostgreSQL has this role, such as `primary` or `synchronous`. */
  is(role: string): Promise<boolean>;
  start(): Promise<void>;
  /** Kills etcd, Patroni and PostgreSQL at once, as the death of their machine would. */
  kill(): Promise<void>;
};

export type Cluster = {
  /** Of the service's database, through HAProxy. */
  databaseUrl: string;
  nodes: Node[];
  /** Waits for a node that has the role. */
  nodeThatIs(role: string, among?: Node[]): Promise<Node>;
};

/** Three nodes and HAProxy, as docs/operating.md and deploy/ have them but for ports, addresses and the directory of the data. */
export async function startCluster(t: Test): Promise<Cluster> {
  const ports = new Map<string, string>();
  for (const port of PORTS) ports.set(port, String(await freePort()));
  const withPorts = (text: string) =>
    text.replace(new RegExp(`\\b(${PORTS.join('|')})\\b`, 'g'), (port) => ports.get(port) ?? '');
  const [writeConfiguration = '', createDatabase = ''] = (
    await blocksOf('operating.md', '### When the primary dies')
  ).map(withPorts);
  const directory = await mkdtemp(`${tmpdir()}/sessions-api-`);
  t.teardown(() => rm(directory, { recursive: true }));
  const server = serverUser();
  if (server) await chown(directory, server.uid, server.gid);
  const example = async (file: string) => {
    const text = withPorts(await readFile(new URL(`../deploy/${file}`, import.meta.url), 'utf8'));
    await writeFile(`${directory}/${file}`, text);
    return `${directory}/${file}`;
  };
  const sh = (commands: string, cwd: string, env: NodeJS.ProcessEnv) =>
    promisify(execFile)('bash', ['-euc', commands], {
      cwd,
      env: { PATH: process.env.PATH, ...PASSWORDS, ...ADDRESSES, ...env },
    });

  const patroniYaml = await example('patroni.yaml');
  const nodes = await Promise.all(
    Object.values(ADDRESSES).map(async (address, index) => {
      const name = ['one', 'two', 'three'][index] ?? '';
      const home = `${directory}/${name}`;
      await mkdir(home);
      await sh(writeConfiguration, home, { NAME: name, ADDRESS: address });
      if (server) await chown(home, server.uid, server.gid);
      const restApi = `http://${address}:${ports.get('8008')}`;
      return createNode(t, { name, home, restApi, patroniYaml, server });
    }),
  );
  await Promise.all(nodes.map((node) => node.start()));
  const haproxy = spawn(EXECUTABLES.haproxy, ['-db', '-f', await example('haproxy-postgresql.cfg')], {
    stdio: 'ignore',
    env: ADDRESSES,
  });
  t.teardown(() => haproxy.kill('SIGKILL'));

  const nodeThatIs = (role: string, among = nodes) =>
    until(`a node is ${role}`, async () => {
      for (const node of among) if (await node.is(role)) return node;
      return undefined;
    });
  await nodeThatIs('primary');
  await until('HAProxy leads to the primary', () => sh(createDatabase, directory, {}).catch(() => undefined));
  const databaseUrl = `postgresql://sessions:${PASSWORDS.SESSIONS_PASSWORD}@127.0.0.1:${ports.get('5000')}/sessions`;
  return { databaseUrl, nodes, nodeThatIs };
}

type NodeOptions = { name: string; home: string; restApi: string; patroniYaml: string; server: ServerUser | undefined };

function createNode(t: Test, { name, home, restApi, patroniYaml, server }: NodeOptions): Node {
  const data = `${home}/data`;
  let running: { kill(): Promise<void> }[] = [];

  async function run(file: string, args: string[], envFile: string, env: NodeJS.ProcessEnv) {
    const log = await open(`${home}/log`, 'a');
    const variables = parseEnv(await readFile(`${home}/${envFile}`, 'utf8'));
    const child = spawn(file, args, {
      cwd: home,
      env: { PATH: process.env.PATH, ...variables, ...env },
      stdio: ['ignore', log.fd, log.fd],
      ...server,
    });
    const exited = once(child, 'exit');
    await log.close();
    return {
      async kill() {
        child.kill('SIGKILL');
        await exited;
      },
    };
  }

  async function kill(): Promise<void> {
    const all = running;
    running = [];
    await Promise.all(all.map((child) => child.kill()));
    if (all.length > 0) await signalPostgresql(data, 'SIGKILL').catch(() => {});
  }

  t.teardown(kill);
  return {
    name,
    kill,
    is: async (role) => (await send(restApi, { path: `/${role}` }).catch(() => undefined))?.status === 200,
    async start() {
      running = [
        await run(EXECUTABLES.etcd, [], 'etcd.env', { ETCD_DATA_DIR: `${home}/etcd` }),
        await run(EXECUTABLES.patroni, [patroniYaml], 'patroni.env', { PATRONI_POSTGRESQL_DATA_DIR: data }),
      ];
    },
  };
}

type ServerUser = { uid: number; gid: number };

/** PostgreSQL refuses to run as root. */
function serverUser(): ServerUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (option: string) => Number(execFileSync('id', [option, 'postgres']));
  return { uid: id('-u'), gid: id('-g') };
}

/** Asks until there is an answer. */
export async function until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
  for (const begun = performance.now(); performance.now() - begun < PATIENCE; ) {
    const answer = await ask();
    if (answer) return answer;
    await wait(50);
  }
  throw new Error(`not within ${PATIENCE / 1_000} s: ${what}`);
}
