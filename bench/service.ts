import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';
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

/** Starts the built service as a process of its own. */
export async function startService(env: NodeJS.ProcessEnv): Promise<Service> {
  const child = spawn(process.execPath, [MAIN], { env: { PATH: process.env.PATH, PORT: '0', ...POOL, ...env } });
  child.stderr.pipe(process.stderr);
  const url = await listening(child);
  return {
    url,
    async residentMemory() {
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return Number(status.match(/VmRSS:\s+(\d+)/)?.[1]) / 1024;
    },
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'exit');
    },
  };
}

async function listening({ stdout }: ChildProcess): Promise<string> {
  if (!stdout) throw new Error('the service has no output');
  // Reads on to the end, so that the service never waits for its log to be read.
  const lines = createInterface({ input: stdout });
  return new Promise((resolve, reject) => {
    lines.on('line', (line) => {
      const url = line.match(/http:\/\/[\d.:]+/)?.[0];
      if (url) resolve(url);
    });
    lines.on('close', () => reject(new Error('the service exited before it listened')));
  });
}
