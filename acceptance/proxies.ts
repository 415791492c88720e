import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import type { Test } from 'tap';
import { type Options, type Running, run, start } from '../test/support/executable.js';
import { send } from '../test/support/send.js';
import { CHEAP } from '../test/support/steady-logins.js';
import { freePort } from '../test/support/temporary-postgresql.js';

/** Debian's. */
const EXECUTABLES = { nginx: '/usr/sbin/nginx', haproxy: '/usr/sbin/haproxy', caddy: '/usr/bin/caddy' };

/** A file of deploy/. */
export type Example = {
  name: keyof typeof EXECUTABLES;
  file: string;
  /** The ports in it: first its own. */
  ports: string[];
};

/** Puts two instances behind nginx. */
export const NGINX: Example = { name: 'nginx', file: 'nginx.conf', ports: ['8080', '3001', '3002'] };

/** They put two instances behind a proxy. */
export const PROXIES: Example[] = [NGINX, { name: 'haproxy', file: 'haproxy.cfg', ports: ['8080', '3001', '3002'] }];

/** They put the service beside an application. */
export const FORWARD_AUTH: Example[] = [
  { name: 'nginx', file: 'forward-auth/nginx.conf', ports: ['8080', '3001', '4000'] },
  { name: 'caddy', file: 'forward-auth/Caddyfile', ports: ['8080', '3001', '4000'] },
];

/** Why a test that needs a proxy is skipped; false where there is one. */
export const noProxy = ({ name }: Example) => !existsSync(EXECUTABLES[name]) && `there is no ${EXECUTABLES[name]}`;

export type ReverseProxy = {
  url: string;
  /** The ports that it sends requests to. */
  ports: number[];
  /** What the example asks of the instances' environment. */
  env: NodeJS.ProcessEnv;
  start(): Promise<void>;
  /** How often nginx or HAProxy had to ask again. */
  retries(): Promise<number>;
};

/** The proxy of an example in deploy/, as it stands there but for its ports. */
export async function prepareProxy(t: Test, { name, file: path, ports: named }: Example): Promise<ReverseProxy> {
  const file = basename(path);
  const example = await readFile(new URL(`../deploy/${path}`, import.meta.url), 'utf8');
  const env = Object.fromEntries(
    [...example.matchAll(/(TRUST_PROXY|SHUTDOWN_DELAY_SECONDS)=(\w+)/g)].map(([, ...pair]) => pair),
  );
  const freePorts = new Map<string, number>();
  for (const port of named) {
    if (!example.includes(port)) throw new Error(`${path} has no port ${port}`);
    freePorts.set(port, await freePort());
  }
  const directory = await mkdtemp(`${tmpdir()}/sessions-api-`);
  t.teardown(() => rm(directory, { recursive: true }));
  // nginx's workers run as another user, and keep bodies in it.
  await chmod(directory, 0o755);
  const withFreePorts = example.replace(/\b\d{4}\b/g, (port) => String(freePorts.get(port) ?? port));
  await writeFile(`${directory}/${file}`, withFreePorts);
  const [listensAt, ...instances] = freePorts.values();
  const url = `http://127.0.0.1:${listensAt}`;
  const socket = `${directory}/stats`;

  async function startProcess(args: string[]) {
    // Caddy keeps what it knows below HOME.
    const env = { PATH: process.env.PATH, HOME: directory };
    const child = spawn(EXECUTABLES[name], args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    const errors = text(child.stderr);
    const exited = once(child, 'exit');
    t.teardown(async () => {
      child.kill('SIGTERM');
      await exited;
    });
    while (!(await send(url, { path: '/livez' }).catch(() => undefined))) {
      if (child.exitCode !== null) throw new Error(`${name} exited: ${await errors}`);
      await wait(50);
    }
  }

  return {
    url,
    ports: instances,
    env,
    async start() {
      if (name === 'nginx') {
        // What /etc/nginx/nginx.conf has around it.
        const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
        await writeFile(
          `${directory}/main.conf`,
          `daemon off; pid nginx.pid; worker_processes 2; error_log stderr crit; events {}
          http { log_format upstream '$upstream_addr'; access_log access.log upstream;
          ${kinds.map((kind) => `${kind}_temp_path ${kind};`).join(' ')} include ${file}; }`,
        );
        return startProcess(['-p', directory, '-e', 'stderr', '-c', 'main.conf']);
      }
      if (name === 'caddy') {
        await writeFile(`${directory}/main`, `{\n  admin off\n}\nimport ${file}\n`);
        return startProcess(['run', '--adapter', 'caddyfile', '--config', `${directory}/main`]);
      }
      await writeFile(`${directory}/stats.cfg`, `global\n    stats socket ${socket}\n`);
      return startProcess(['-db', '-f', `${directory}/${file}`, '-f', `${directory}/stats.cfg`]);
    },
    async retries() {
      if (name === 'nginx') {
        const lines = (await readFile(`${directory}/access.log`, 'utf8')).split('\n');
        return lines.filter((line) => line.includes(',')).length;
      }
      const connection = connect(socket);
      connection.write('show stat\n');
      const [header = '', ...rows] = (await text(connection)).trim().split('\n');
      const column = header.split(',').indexOf('wretr');
      const backends = rows.map((row) => row.split(',')).filter(([, server]) => server === 'BACKEND');
      return backends.reduce((sum, fields) => sum + Number(fields[column]), 0);
    },
  };
}

/** Starts the instances of an example, with a user, and the proxy. */
export async function startBehind(t: Test, proxy: ReverseProxy, { cwd, env }: Options) {
  const options = { cwd, env: { ...CHEAP, ...proxy.env, ...env } };
  await run(['users', 'add', '--allow-weak', 'foo@bar.com'], { ...options, input: 'foobar' });
  const startAt = async (port: number): Promise<Running> => {
    const instance = await start(t, { ...options, env: { ...options.env, PORT: String(port) } });
    while ((await send(instance.url, { path: '/readyz' })).status !== 200) await wait(20);
    return instance;
  };
  const instances = await Promise.all(proxy.ports.map(startAt));
  await proxy.start();
  return { instances, startAt };
}
