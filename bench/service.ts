import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, watch } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** One thread for each core, as later Node.js has them by itself. */
export const POOL = { UV_THREADPOOL_SIZE: String(availableParallelism()) };

export type Service = {
  url: string;
  /** Resident memory in MB. */
  residentMemory(): Promise<number>;
  stop(): Promise<void>;
};

/** Runs a command of the built executable to its end. */
export async function run(args: string[], env: NodeJS.ProcessEnv, input = ''): Promise<void> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env.PATH, ...env } });
  child.stderr.pipe(process.stderr);
  child.stdin.end(input);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${args.join(' ')} exited with ${code}`);
}

/**
 * Starts the built service as a process of its own. It logs to a file: to read the log would take time of the load
 * generator's.
 *
 * @param args - of Node.js, for another server
 */
export async function startService(env: NodeJS.ProcessEnv, args: string[] = [MAIN]): Promise<Service> {
  const directory = await mkdtemp(`${tmpdir()}/sessions-api-bench-log-`);
  const path = `${directory}/log`;
  const log = await open(path, 'w');
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, PORT: '0', ...POOL, ...env },
    stdio: ['ignore', log.fd, 'inherit'],
  });
  const exited = once(child, 'exit');
  const url = await Promise.race([firstUrlIn(path), exited.then(() => undefined)]);
  await log.close();
  if (url === undefined) throw new Error('the service exited before it listened');
  return {
    url,
    async residentMemory() {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Number(status.match(/VmRSS:\s+(\d+)/)?.[1]) / 1024;
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(directory, { recursive: true });
    },
  };
}

async function firstUrlIn(path: string): Promise<string | undefined> {
  for await (const _ of watch(path)) {
    const [url] = (await readFile(path, 'utf8')).match(/http:\/\/[\d.:]+/) ?? [];
    if (url !== undefined) return url;
  }
  return undefined;
}
