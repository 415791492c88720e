import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

export const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export type Options = {
  /** A directory of the test's own, where relative paths of files lead. */
  cwd: string;
  env?: NodeJS.ProcessEnv;
  /** Standard input. */
  input?: string | Buffer;
  /** The built executable, unless the test has another. */
  main?: string;
  /** The uid and gid to run it as, where the test runs as root. */
  user?: number | undefined;
};

function spawnMain(args: string[], { cwd, env = {}, main = MAIN, user }: Options): ChildProcess {
  // Nothing of the environment that the tests happen to run in.
  const { PATH, TAP_DISABLE_COVERAGE } = process.env;
  const options = { cwd, env: { PATH, PORT: '0', ...env }, uid: user, gid: user };
  // tap adds itself to NODE_OPTIONS: to load it takes as long as a start, and another user can't write into its directory.
  const isMeasured = user === undefined && !TAP_DISABLE_COVERAGE;
  const withoutTap = isMeasured ? [] : [`NODE_OPTIONS=${env.NODE_OPTIONS ?? ''}`];
  return spawn('env', [...withoutTap, process.execPath, main, ...args], options);
}

/** Runs the executable to its end. */
export async function run(args: string[], options: Options): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawnMain(args, options);
  const { stdin, stdout, stderr } = child;
  if (!stdin || !stdout || !stderr) throw new Error('no pipes');
  stdin.end(options.input);
  const [out, err, [code]] = await Promise.all([text(stdout), text(stderr), once(child, 'exit')]);
  return { code, stdout: out, stderr: err };
}

export type Running = {
  url: string;
  pid: number;
  /** Everything that it has written so far. */
  output(): string;
  /** Resolves when it has written a line that has this in it. */
  written(part: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves with the exit code, or the signal that killed it. */
  exited: Promise<number | NodeJS.Signals>;
};

/** Starts the service, and resolves when it listens. */
export async function start(t: Pick<Test, 'teardown'>, options: Options, args: string[] = []): Promise<Running> {
  const child = spawnMain(args, options);
  t.teardown(() => child.kill('SIGKILL'));
  // Once all of its output has been read.
  const exited = once(child, 'close').then(([code, signal]) => code ?? signal);
  const lines: string[] = [];
  const waiting: { part: string; resolve(line: string): void }[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    if (!stream) throw new Error('no pipes');
    createInterface({ input: stream }).on('line', (line) => {
      lines.push(line);
      for (const { part, resolve } of waiting) if (line.includes(part)) resolve(line);
    });
  }
  const written = async (part: string): Promise<string> => {
    const before = lines.find((line) => line.includes(part));
    if (before) return before;
    const line = new Promise<string>((resolve) => waiting.push({ part, resolve }));
    const ended = exited.then((code) => {
      throw new Error(`exited with ${code} before it wrote "${part}":\n${lines.join('\n')}`);
    });
    return Promise.race([line, ended]);
  };
  // The demo logs warnings only.
  const announced = args.includes('demo') ? 'Swagger UI: http://' : 'listening at http://';
  const [url = ''] = (await written(announced)).match(/http:\/\/[\d.:]+/) ?? [];
  return {
    url,
    pid: child.pid ?? 0,
    output: () => lines.join('\n'),
    written: async (part) => void (await written(part)),
    kill: (signal) => child.kill(signal),
    exited,
  };
}

/** Stops the service as an operator does, and returns the milliseconds that it took. */
export async function stop(t: Test, service: Running): Promise<number> {
  const told = performance.now();
  service.kill('SIGTERM');
  t.equal(await service.exited, 0);
  return performance.now() - told;
}

/** The memory that the service has in use, in megabytes. */
export async function memoryOf({ pid }: Running): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(status.match(/VmRSS:\s+(\d+)/)?.[1]) / 1024;
}

/** The processor time that the service's event loop has used, in milliseconds: however much else the machine does. */
export async function processorTimeOf({ pid }: Running): Promise<number> {
  const stat = await readFile(`/proc/${pid}/task/${pid}/stat`, 'utf8');
  // The fields after the command, which may have spaces: from the third on, in ticks of 10 ms.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** Milliseconds for which this process and the service have waited for a core, as Linux counts them. */
export async function waitedForCores({ pid }: Running): Promise<number> {
  let nanoseconds = 0;
  for (const process of ['self', pid]) {
    const [, waited] = (await readFile(`/proc/${process}/schedstat`, 'utf8').catch(() => '0 0 0')).split(' ');
    nanoseconds += Number(waited);
  }
  return nanoseconds / 1e6;
}
