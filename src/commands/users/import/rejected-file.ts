import { type FileHandle, open, rm } from 'node:fs/promises';
import { EXIT } from '../../../errors/exit-codes.js';
import { IoFailure } from '../../../errors/io-failure.js';
import type { Rejection } from './source-record.js';

/** Rejected rows that are also printed on standard error. */
const PRINTED = 10;

/** Writes the rejected rows of an import as JSON Lines; without any, it removes the file of an earlier import. */
export class RejectedFile {
  count = 0;
  #waiting: Rejection[] = [];
  #file: FileHandle | undefined;

  constructor(private readonly path: string) {}

  add(rejection: Rejection): void {
    this.#waiting.push(rejection);
    this.count += 1;
    if (this.count <= PRINTED) console.error(`line ${rejection.line}: ${rejection.reason}`);
    if (this.count === PRINTED + 1) console.error(`more rejected rows: see ${this.path}`);
  }

  /** @throws IoFailure */
  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    const sorted = this.#waiting.sort((a, b) => a.line - b.line);
    const lines = sorted.map((rejection) => `${JSON.stringify(rejection)}\n`).join('');
    try {
      this.#file ??= await this.#create();
      await this.#file.appendFile(lines);
    } catch (error) {
      throw new IoFailure(`${this.path}, with the rejected rows, can’t be written`, error, EXIT.CANTCREAT);
    }
    this.#waiting = [];
  }

  /** It holds emails and digests: mode 0600, even if the earlier file was readable. */
  async #create(): Promise<FileHandle> {
    await rm(this.path, { force: true });
    return open(this.path, 'wx', 0o600);
  }

  /**
   * @returns the path of the file; null where no row was rejected
   * @throws IoFailure
   */
  async close(): Promise<string | null> {
    await this.flush();
    await this.#file?.close();
    if (this.#file) return this.path;
    await rm(this.path, { force: true }).catch((error) => {
      throw new IoFailure(`${this.path}, of an earlier import, can’t be removed`, error, EXIT.CANTCREAT);
    });
    return null;
  }
}
