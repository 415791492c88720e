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
      const code = error && typeof error.code !== 'number' ? 1 : (error?.code ?? 0);
      resolve({ code: Number(code), output: stdout + stderr + (code === 1 ? (error?.message ?? '') : '') });
    });
  });
}
