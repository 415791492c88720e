import { execFile } from 'node:child_process';

/** Runs a command to its end, and returns what it wrote. */
export function command(
  where: string | { cwd: string; env: NodeJS.ProcessEnv },
  file: string,
  ...args: string[]
): Promise<{ code: number; output: string }> {
  const options = typeof where === 'string' ? { cwd: where } : where;
  return new Promise((resolve) => {
    execFile(file, args, { maxBuffer: 2 ** 26, ...options }, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr });
    });
  });
}
