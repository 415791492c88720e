import { open } from 'node:fs/promises';
import type { Config } from '../../../config/config.js';
import { migrate } from '../../../database/migrate.js';
import type { ScryptCost } from '../../../passwords/formats/scrypt.js';
import { createPasswords } from '../../../passwords/passwords.js';
import { keepHeapSmall } from '../../heap.js';
import { startProgress } from '../../progress.js';
import { createRowCheck, type Row } from './check-row.js';
import { connect, connectForRehearsal } from './connection.js';
import { FileRefused, readRecords } from './read-records.js';
import { RejectedFile } from './rejected-file.js';
import { type OnConflict, writeBatch } from './write-batch.js';

export type ImportOptions = {
  dryRun?: boolean;
  onConflict: OnConflict;
  /** Of digests that are `SALT:KEY`; better-auth's unless given. */
  scryptParameters?: ScryptCost;
};

export type ImportSummary = {
  added: number;
  updated: number;
  unchanged: number;
  rejected: number;
  /** Has the line and the reason of each rejected row; null where there is none. */
  rejected_file: string | null;
  dry_run: boolean;
};

/** Rows of one transaction. */
const BATCH = 1000;

/**
 * Imports users in batches from a file, or from standard input for `-`. A row that can't be stored is rejected, and the
 * import continues. After a failure it can run again: users that are stored already are left as they are.
 *
 * @throws ConfigError, FileRefused, DatabaseUnavailable
 */
export async function importUsers(
  { databaseUrl, hashing }: Config,
  file: string,
  { dryRun = false, onConflict, scryptParameters }: ImportOptions,
): Promise<ImportSummary> {
  keepHeapSmall();
  const { stream, size } = await openSource(file);
  await migrate(databaseUrl);
  const connection = await (dryRun ? connectForRehearsal : connect)(databaseUrl);
  const rejected = new RejectedFile(`${file === '-' ? 'stdin' : file}.rejected.jsonl`);
  const check = createRowCheck(createPasswords(hashing), scryptParameters);
  const progress = startProgress();
  const counts = { added: 0, updated: 0, unchanged: 0 };
  let rows: Row[] = [];
  let seen = 0;

  async function store(): Promise<void> {
    const outcomes = rows.length > 0 ? await writeBatch(connection, rows, onConflict) : [];
    for (const outcome of outcomes) {
      if (typeof outcome === 'string') counts[outcome] += 1;
      else rejected.add(outcome);
    }
    rows = [];
    await rejected.flush();
    progress.report(seen, size && stream.bytesRead / size);
  }

  try {
    for await (const record of readRecords(stream)) {
      const row = 'reason' in record ? record : check(record);
      if ('reason' in row) rejected.add(row);
      else rows.push(row);
      seen += 1;
      if (seen % BATCH === 0) await store();
    }
    await store();
  } finally {
    progress.stop();
    // Standard input that is not read to its end would keep the process alive.
    stream.destroy();
    await connection.close();
  }
  return { ...counts, rejected: rejected.count, rejected_file: await rejected.close(), dry_run: dryRun };
}

async function openSource(file: string) {
  if (file === '-') return { stream: process.stdin, size: undefined };
  const handle = await open(file).catch((error) => {
    throw new FileRefused(`${file} can’t be read: ${error.message}`);
  });
  const stats = await handle.stat();
  if (stats.isDirectory()) throw new FileRefused(`${file} is a directory`);
  return { stream: handle.createReadStream(), size: stats.isFile() ? stats.size : undefined };
}
