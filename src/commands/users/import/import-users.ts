import { open } from 'node:fs/promises';
import type { Config } from '../../../config/config.js';
import { openDatabase } from '../../../database/database.js';
import type { OnConflict } from '../../../database/import/plan.js';
import type { StoreUsers } from '../../../database/import/user-import.js';
import { migrate } from '../../../database/migrations/migrate.js';
import { EXIT } from '../../../errors/exit-codes.js';
import { ExpectedError } from '../../../errors/expected-error.js';
import { IoFailure } from '../../../errors/io-failure.js';
import { createPasswords } from '../../../passwords/passwords.js';
import { keepHeapSmall } from '../../heap.js';
import { startProgress } from '../../progress.js';
import { reportCreated } from '../print.js';
import { createRowCheck, type Row, type RowOptions } from './check-row.js';
import { type FileFormat, readRecords } from './read-records.js';
import { RejectedFile } from './rejected-file.js';

export type ImportOptions = RowOptions & FileFormat & { dryRun?: boolean; onConflict: OnConflict };

export type ImportSummary = {
  added: number;
  updated: number;
  unchanged: number;
  rejected: number;
  /** Rows that were not rejected, and have no password. */
  without_password: number;
  /** Has the line and the reason of each rejected row; null where there is none. */
  rejected_file: string | null;
  dry_run: boolean;
};

/** Rows of one transaction: emails are in no order, so each writes most pages of an index. Others wait some 0.1 s for it. */
const BATCH = 4_000;
/** Milliseconds: another instance's migration may hold the lock. */
const BATCH_TIMEOUT = 60_000;

/**
 * Imports users in batches from a file, or from standard input for `-`. A row that can't be stored is rejected, and the
 * import continues. After a failure it can run again: users that are stored already are left as they are.
 *
 * @throws ConfigError, FileRefused, IoFailure, DatabaseUnavailable
 */
export async function importUsers(
  { databaseUrl, hashing }: Config,
  file: string,
  { dryRun = false, onConflict, ...options }: ImportOptions,
): Promise<ImportSummary> {
  keepHeapSmall();
  const { stream, size, name } = await openSource(file);
  await migrate(databaseUrl, { onCreated: reportCreated });
  const database = await openDatabase(databaseUrl, { timeout: BATCH_TIMEOUT, bulk: true });
  const rejected = new RejectedFile(`${name}.rejected.jsonl`);
  const check = createRowCheck(createPasswords(hashing), options);
  const progress = startProgress();
  const counts = { added: 0, updated: 0, unchanged: 0, without_password: 0 };
  let rows: Row[] = [];
  let seen = 0;

  async function storeRows(store: StoreUsers): Promise<void> {
    const outcomes = rows.length > 0 ? await store(rows, onConflict) : [];
    for (const [i, { line, id, email, passwordDigest }] of rows.entries()) {
      const outcome = outcomes[i];
      if (typeof outcome === 'object') rejected.add({ line, reason: outcome.refusal, id, email });
      else if (outcome) counts[outcome] += 1;
      if (typeof outcome === 'string' && passwordDigest === undefined) counts.without_password += 1;
    }
    rows = [];
    await rejected.flush();
    progress.report(seen, size && stream.bytesRead / size);
  }

  async function readAll(store: StoreUsers): Promise<void> {
    for await (const record of readRecords(stream, options)) {
      const row = 'reason' in record ? record : check(record);
      if ('reason' in row) rejected.add(row);
      else rows.push(row);
      seen += 1;
      if (seen % BATCH === 0) await storeRows(store);
    }
    await storeRows(store);
  }

  try {
    await (dryRun ? database.userImport.rehearse(readAll) : readAll(database.userImport.store));
  } catch (error) {
    if (error instanceof ExpectedError || !(error instanceof Error && 'syscall' in error)) throw error;
    throw new IoFailure(`${file} can’t be read`, error);
  } finally {
    progress.stop();
    // Standard input that is not read to its end would keep the process alive.
    stream.destroy();
    await database.close();
  }
  return { ...counts, rejected: rejected.count, rejected_file: await rejected.close(), dry_run: dryRun };
}

/** `name` is of the files that lie beside it: a pipe's and a device's lie in the working directory. */
async function openSource(file: string) {
  if (file === '-') return { stream: process.stdin, size: undefined, name: 'stdin' };
  const cannotRead = (error: unknown): never => {
    throw new IoFailure(`${file} can’t be read`, error, EXIT.NOINPUT);
  };
  const handle = await open(file).catch(cannotRead);
  const stats = await handle.stat();
  if (stats.isDirectory()) cannotRead('it is a directory');
  const stream = handle.createReadStream();
  return stats.isFile() ? { stream, size: stats.size, name: file } : { stream, size: undefined, name: 'stdin' };
}
