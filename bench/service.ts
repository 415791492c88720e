import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, readFile, rm, watch } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));

/** One thread for each core, as later Node.js has them by itself. */
export const POOL = { UV_THREADPOOL_SIZE: String(availableParallelism()) };

/** As the image and the systemd unit set them. */
const SMALL_MEMORY = { NODE_OPTIONS: '--max-semi-space-size=4', MALLOC_ARENA_MAX: '1' };

export type Service = {
  url: string;
  /** Resident memory in MB. */
  residentMemory(): Promise<number>;
  stop(): Promise<void>;
};

/**
 * Runs a command of the built executable to its end, without its output.
 *
 * @returns how long it took, and its peak resident memory in MB, for Linux
 */
export async function run(args: string[], env: NodeJS.ProcessEnv): Promise<{ seconds: number; peakMb: number }> {
  const started = performance.now();
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exited = once(child, 'exit');
  const errors = text(child.stderr);
  let peakMb = 0;
  while (child.exitCode === null && child.signalCode === null) {
    peakMb = Math.max(peakMb, await memoryOf(child.pid, 'VmHWM'));
    await Promise.race([exited, wait(20)]);
  }
  if (child.exitCode !== 0)
    throw new Error(`${args.join(' ')}: ${child.exitCode ?? child.signalCode}\n${await errors}`);
  return { seconds: (performance.now() - started) / 1_000, peakMb };
}

/** In MB, by the kernel: resident now (VmRSS), or at most so far (VmHWM). 0 for a process that has exited. */
async function memoryOf(pid: number | undefined, figure: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const [, kilobytes = 0] = status.match(new RegExp(`${figure}:\\s+(\\d+) kB`)) ?? [];
  return Number(kilobytes) / 1024;
}

/**
 * Starts the built service as a process of its own. It logs to a file: to read the log would take time of the load
 * generator's.
 *
 * @param args - of Node.js, for another server
 * @param prefix - a command that runs it, such as taskset
 */
export async function startService(
  env: NodeJS.ProcessEnv,
  args: string[] = [MAIN],
  prefix: string[] = [],
): Promise<Service> {
  const directory = await mkdtemp(`${tmpdir()}/sessions-api-bench-log-`);
  const path = `${directory}/log`;
  const log = await open(path, 'w');
  const [command = '', ...commandArgs] = [...prefix, process.execPath, ...args];
  const child = spawn(command, commandArgs, {
    env: { PATH: process.env.PATH, PORT: '0', ...POOL, ...SMALL_MEMORY, ...env },
    stdio: ['ignore', log.fd, 'inherit'],
  });
  const exited = once(child, 'exit');
  const url = await Promise.race([firstUrlIn(path), exited.then(() => undefined)]);
  await log.close();
  if (url === undefined) throw new Error('the service exited before it listened');
  return {
    url,
    residentMemory: () => memoryOf(child.pid, 'VmRSS'),
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
