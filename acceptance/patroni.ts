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
  /** Of what the three have logged. */
  lastLines(): Promise<string>;
};

export type Cluster = {
  /** Of the service's database, through HAProxy. */
  databaseUrl: string;
  nodes: Node[];
  /** Waits for a node that has the role. */
  nodeThatIs(role: string, among?: Node[]): Promise<Node>;
};

/** Three nodes and HAProxy, as docs/failover.md and deploy/ have them but for ports, addresses and the directory of the data. */
export async function startCluster(t: Test): Promise<Cluster> {
  const { directory, server, portOf, example, writeConfiguration, createDatabase } = await prepareSetUp(t);
  const patroniYaml = await example('patroni.yaml');
  const nodes = await Promise.all(
    Object.values(ADDRESSES).map(async (address, index) => {
      const name = ['one', 'two', 'three'][index] ?? '';
      const home = `${directory}/${name}`;
      await mkdir(home);
      await writeConfiguration(home, { NAME: name, ADDRESS: address });
      if (server) await chown(home, server.uid, server.gid);
      return createNode(t, { name, home, restApi: `http://${address}:${portOf('8008')}`, patroniYaml, server });
    }),
  );
  await Promise.all(nodes.map((node) => node.start()));
  const options = { stdio: 'ignore', env: ADDRESSES } as const;
  const haproxy = spawn(EXECUTABLES.haproxy, ['-db', '-f', await example('haproxy-postgresql.cfg')], options);
  t.teardown(() => haproxy.kill('SIGKILL'));

  const nodeThatIs = (role: string, among = nodes) =>
    until(`a node is ${role}`, async () => {
      for (const node of among) if (await node.is(role)) return node;
      return undefined;
    }).catch(async (error) => {
      for (const node of among) t.comment(await node.lastLines());
      throw error;
    });
  await nodeThatIs('primary');
  await until('HAProxy leads to the primary', () => createDatabase(directory).catch(() => undefined));
  const databaseUrl = `postgresql://sessions:${PASSWORDS.SESSIONS_PASSWORD}@127.0.0.1:${portOf('5000')}/sessions`;
  return { databaseUrl, nodes, nodeThatIs };
}

/** Reads the guide's commands and the examples, with ports of their own, and makes a directory for all. */
async function prepareSetUp(t: Test) {
  const directory = await mkdtemp(`${tmpdir()}/sessions-api-`);
  t.teardown(() => rm(directory, { recursive: true }));
  const server = serverUser();
  if (server) await chown(directory, server.uid, server.gid);

  const ports = new Map<string, string>();
  for (const port of PORTS) ports.set(port, String(await freePort()));
  const portOf = (port: string) => ports.get(port) ?? port;
  const withPorts = (text: string) => text.replace(/\b\d{4}\b/g, portOf);
  const [writeFiles] = (await blocksOf('failover.md', '## Set up the nodes')).map(withPorts);
  const [create] = (await blocksOf('failover.md', '## Create the database')).map(withPorts);
  const run =
    (block: string | undefined) =>
    (cwd: string, variables: NodeJS.ProcessEnv = {}) => {
      if (block === undefined) throw new Error('the guide has lost a block of commands');
      const env = { PATH: process.env.PATH, ...PASSWORDS, ...ADDRESSES, ...variables };
      return promisify(execFile)('bash', ['-euc', block], { cwd, env });
    };
  return {
    directory,
    server,
    portOf,
    /** Writes a file of deploy/, and returns its path. */
    async example(file: string): Promise<string> {
      const text = await readFile(new URL(`../deploy/${file}`, import.meta.url), 'utf8');
      await writeFile(`${directory}/${file}`, withPorts(text));
      return `${directory}/${file}`;
    },
    writeConfiguration: run(writeFiles),
    createDatabase: run(create),
  };
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
    lastLines: async () => (await readFile(`${home}/log`, 'utf8')).split('\n').slice(-100).join('\n'),
    async start() {
      running = [
        await run(EXECUTABLES.etcd, [], 'etcd.env', { ETCD_DATA_DIR: `${home}/etcd` }),
        await run(EXECUTABLES.patroni, [patroniYaml], 'patroni.env', {
          PATRONI_POSTGRESQL_DATA_DIR: data,
          // The default is in the home directory, which these nodes share: a node would overwrite another's password, and the
          // other's replication would never start.
          PATRONI_POSTGRESQL_PGPASS: `${home}/pgpass`,
        }),
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
