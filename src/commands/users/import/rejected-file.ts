import { type FileHandle, open, rm } from 'node:fs/promises';
import type { Rejection } from './read-records.js';

export type RejectedFile = {
  add(rejection: Rejection): void;
  /** How many there are in all, and how many of them are not written yet. */
  count(): number;
  waiting(): number;
  flush(): Promise<void>;
  /** @returns the file's path; null where nothing was rejected */
  close(): Promise<string | null>;
};

/** Rejected rows that are shown on standard error too. */
const SHOWN = 10;

/** Collects what an import rejects as JSON Lines. The file of an earlier import goes, and none is made without a need. */
export function openRejectedFile(path: string): RejectedFile {
  let waiting: Rejection[] = [];
  let count = 0;
  let file: FileHandle | undefined;

  async function flush(): Promise<void> {
    if (waiting.length === 0) return;
    // Whoever may read it may read which users there are.
    file ??= await open(path, 'w', 0o600);
    const sorted = waiting.sort((a, b) => a.line - b.line);
    await file.write(`${sorted.map((rejection) => JSON.stringify(rejection)).join('\n')}\n`);
    waiting = [];
  }

  return {
    add(rejection) {
      waiting.push(rejection);
      count += 1;
      if (count <= SHOWN) console.error(`line ${rejection.line}: ${rejection.reason}`);
      if (count === SHOWN + 1) console.error(`more is rejected: see ${path}`);
    },
    count: () => count,
    waiting: () => waiting.length,
    flush,
    async close() {
      await flush();
      await file?.close();
      if (file) return path;
      await rm(path, { force: true });
      return null;
    },
  };
}
