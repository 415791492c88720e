import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isDriverAdapterError } from '@prisma/driver-adapter-utils';
import type { Config } from '../../../config/config.js';
import { DatabaseUnavailable } from '../../../database/database-unavailable.js';
import { migrate } from '../../../database/migrate.js';
import { ExpectedError } from '../../../errors/expected-error.js';
import { createPasswords } from '../../../passwords/passwords.js';
import { keepHeapSmall } from '../../heap.js';
import { startProgress } from '../../progress.js';
import { createRowCheck, type Row } from './check-row.js';
import { connect, connectForRehearsal } from './connection.js';
import { readRecords } from './read-records.js';
import { openRejectedFile } from './rejected-file.js';
import { type OnConflict, writeBatch } from './write-batch.js';

export type ImportOptions = { dryRun?: boolean; onConflict: OnConflict };

export type ImportSummary = {
  added: number;
  updated: number;
  /** Rows whose user is stored already. */
  unchanged: number;
  rejected: number;
  /** Where the lines and reasons of what was rejected are; null where nothing was. */
  rejected_file: string | null;
  dry_run: boolean;
};

/** Rows that are stored together, or not at all. */
const BATCH = 1000;

class FileUnreadable extends ExpectedError {}

/**
 * Imports users from a file, or from standard input where it is `-`, a batch at a time. A row that can't be stored is
 * rejected and stops nothing. Broken off at any point, it can be run again: what is stored already is left as it is.
 *
 * @throws FileUnreadable, FileRefused, DatabaseUnavailable
 */
export async function importUsers(
  { databaseUrl, hashing }: Config,
  file: string,
  { dryRun = false, onConflict }: ImportOptions,
): Promise<ImportSummary> {
  keepHeapSmall();
  const source = await openSource(file);
  await migrate(databaseUrl);
  const connection = await (dryRun ? connectForRehearsal(databaseUrl) : connect(databaseUrl)).catch(orUnavailable);
  const rejected = openRejectedFile(`${file === '-' ? 'stdin' : file}.rejected.jsonl`);
  const check = createRowCheck(createPasswords(hashing));
  const progress = startProgress();
  const counts = { added: 0, updated: 0, unchanged: 0 };

  async function store(rows: Row[]): Promise<void> {
    if (rows.length > 0) {
      const result = await writeBatch(connection, rows, onConflict).catch(orUnavailable);
      counts.added += result.added;
      counts.updated += result.updated;
      counts.unchanged += result.unchanged;
      for (const rejection of result.rejections) rejected.add(rejection);
    }
    await rejected.flush();
    progress.report(counts.added + counts.updated + counts.unchanged + rejected.count(), source.fractionRead());
  }

  function orUnavailable(error: unknown): never {
    throw isDriverAdapterError(error) ? new DatabaseUnavailable(databaseUrl, error) : error;
  }

  try {
    let rows: Row[] = [];
    for await (const record of readRecords(source.chunks)) {
      const row = 'reason' in record ? record : check(record);
      if ('reason' in row) rejected.add(row);
      else rows.push(row);
      if (rows.length + rejected.waiting() < BATCH) continue;
      await store(rows);
      rows = [];
    }
    await store(rows);
  } finally {
    progress.stop();
    source.close();
    await connection.close();
  }
  return { ...counts, rejected: rejected.count(), rejected_file: await rejected.close(), dry_run: dryRun };
}

/** Opens what is imported; how much of it has been read is known where its size is. */
async function openSource(
  file: string,
): Promise<{ chunks: AsyncIterable<Buffer>; fractionRead(): number | undefined; close(): void }> {
  let size: number | undefined;
  if (file !== '-') {
    const stats = await stat(file).catch((error) => {
      throw new FileUnreadable(`${file} can’t be read: ${error.message}`);
    });
    if (stats.isDirectory()) throw new FileUnreadable(`${file} is a directory`);
    if (stats.isFile()) size = stats.size;
  }
  let bytes = 0;
  async function* chunks(): AsyncGenerator<Buffer> {
    for await (const chunk of file === '-' ? process.stdin : createReadStream(file)) {
      bytes += chunk.length;
      yield chunk;
    }
  }
  return {
    chunks: chunks(),
    fractionRead: () => size && bytes / size,
    close() {
      // What is refused before its end would keep the process waiting for the rest.
      if (file === '-') process.stdin.destroy();
    },
  };
}
