import { fstatSync, statSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../../../config/config.js';
import type { DatabaseUrl } from '../../../database/connection/database-url.js';
import { openDatabase } from '../../../database/database.js';
import type { OnConflict } from '../../../database/import/plan.js';
import type { StoreUsers } from '../../../database/import/user-import.js';
import { inspect, migrate } from '../../../database/migrations/migrate.js';
import { EXIT } from '../../../errors/exit-codes.js';
import { ExpectedError } from '../../../errors/expected-error.js';
import { IoFailure } from '../../../errors/io-failure.js';
import { createPasswords } from '../../../passwords/passwords.js';
import { keepHeapSmall } from '../../heap.js';
import { reportCreated } from '../../print.js';
import { startProgress } from '../../progress.js';
import { audit } from '../audit.js';
import { columnsOfRow, createRowCheck, type Row, type RowOptions } from './check-row.js';
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

type Counts = Pick<ImportSummary, 'added' | 'updated' | 'unchanged' | 'rejected'>;

/** A signal has ended the import. */
class ImportStopped extends ExpectedError {
  constructor(signal: StopSignal, rows: number, counts: Counts, dryRun: boolean) {
    const next = dryRun ? 'nothing is stored' : 'run the same command to go on: rows that are stored stay as they are';
    const stopped = `stopped by ${signal} after ${rows.toLocaleString('en')} rows`;
    super(`${stopped}: ${describeCounts(counts)}; ${next}`, 128 + constants.signals[signal]);
  }
}

/** Counts of rows, for people. */
export function describeCounts(counts: Counts): string {
  const names = ['added', 'updated', 'unchanged', 'rejected'] as const;
  return names.map((name) => `${counts[name].toLocaleString('en')} ${name}`).join(', ');
}

const STOP_SIGNALS = ['SIGINT', 'SIGTERM'] as const;
type StopSignal = (typeof STOP_SIGNALS)[number];

/** Ends a stream at the first signal; a second one ends the process. */
function stopAtSignals(stream: { destroy(): unknown }) {
  let received: StopSignal | undefined;
  const stop = (signal: NodeJS.Signals) => {
    received = STOP_SIGNALS.find((each) => each === signal);
    stream.destroy();
  };
  for (const signal of STOP_SIGNALS) process.once(signal, stop);
  return {
    received: () => received,
    ignore() {
      for (const signal of STOP_SIGNALS) process.off(signal, stop);
    },
  };
}

/** Rows of one transaction: emails are in no order, so each writes most pages of an index. Others wait some 0.1 s for it. */
const BATCH = 4_000;
/** Milliseconds: another instance's migration may hold the lock. */
const BATCH_TIMEOUT = 60_000;

/**
 * Imports users in batches from a file, or from standard input for `-`. A row that can't be stored is rejected, and the
 * import continues. After a failure it can run again: users that are stored already are left as they are.
 *
 * @throws ConfigError, ExpectedError, IoFailure, DatabaseUnavailable, ImportStopped
 */
export async function importUsers(
  { databaseUrl, hashing }: Config,
  file: string,
  { dryRun = false, onConflict, ...options }: ImportOptions,
): Promise<ImportSummary> {
  keepHeapSmall();
  const { stream, size, name } = await openSource(file);
  const target = await prepareDatabase(databaseUrl, dryRun);
  const database = await openDatabase(target.url, { timeout: BATCH_TIMEOUT, bulk: true });
  const rejected = new RejectedFile(`${name}.rejected.jsonl`);
  const check = createRowCheck(createPasswords(hashing), options);
  const progress = startProgress();
  const counts = { added: 0, updated: 0, unchanged: 0, without_password: 0 };
  let rows: Row[] = [];
  let seen = 0;

  async function storeRows(store: StoreUsers): Promise<void> {
    const outcomes = rows.length > 0 ? await store(rows, onConflict) : [];
    for (const [i, row] of rows.entries()) {
      const outcome = outcomes[i];
      if (typeof outcome === 'object') rejected.add({ line: row.line, reason: outcome.refusal, ...columnsOfRow(row) });
      else if (outcome) counts[outcome] += 1;
      if (typeof outcome === 'string' && row.passwordDigest === undefined) counts.without_password += 1;
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

  const signals = stopAtSignals(stream);
  try {
    await (dryRun ? database.userImport.rehearse(readAll) : readAll(database.userImport.store));
  } catch (error) {
    const signal = signals.received();
    if (signal && !(error instanceof ExpectedError)) {
      await rejected.close();
      throw new ImportStopped(signal, seen - rows.length, { ...counts, rejected: rejected.count }, dryRun);
    }
    if (error instanceof ExpectedError || !(error instanceof Error && 'syscall' in error)) throw error;
    throw new IoFailure(`${file} can’t be read`, error);
  } finally {
    // Also after a failure: whole batches are stored.
    const changed = counts.added + counts.updated;
    if (changed > 0 && !dryRun) audit('users_imported', { users: changed });
    signals.ignore();
    progress.stop();
    // Standard input that is not read to its end would keep the process alive.
    stream.destroy();
    await database.close();
    await target.remove();
  }
  return { ...counts, rejected: rejected.count, rejected_file: await rejected.close(), dry_run: dryRun };
}

/**
 * A dry run migrates nothing: where there are no tables, it tries the rows on a database of its own.
 *
 * @throws ExpectedError where others are pending
 */
async function prepareDatabase(
  url: DatabaseUrl,
  dryRun: boolean,
): Promise<{ url: DatabaseUrl; remove(): Promise<void> }> {
  const asItIs = { url, remove: async () => {} };
  if (!dryRun) {
    await migrate(url, { onCreated: reportCreated });
    return asItIs;
  }
  const { empty, pending } = await inspect(url, () => {});
  if (pending.length === 0) return asItIs;
  if (!empty)
    throw new ExpectedError(
      `a dry run applies no migrations, and ${pending.join(', ')} is pending: run "sessions-api migrate" first`,
      EXIT.CONFIG,
    );
  const directory = await mkdtemp(join(tmpdir(), 'sessions-api-dry-run-'));
  const own = { provider: 'sqlite', file: join(directory, 'sessions.db') } as const;
  await migrate(own);
  return { url: own, remove: () => rm(directory, { recursive: true }) };
}

/** The rejected file is `name` + .rejected.jsonl: that of a pipe or a device lies in the working directory. */
async function openSource(file: string) {
  if (file === '-') return openStandardInput();
  const cannotRead = (error: unknown): never => {
    throw new IoFailure(`${file} can’t be read`, error, EXIT.NOINPUT);
  };
  const handle = await open(file).catch(cannotRead);
  const stats = await handle.stat();
  if (stats.isDirectory()) cannotRead('it is a directory');
  const stream = handle.createReadStream();
  return stats.isFile() ? { stream, size: stats.size, name: file } : { stream, size: undefined, name: 'stdin' };
}

/** @throws ExpectedError where it is the file that the rejected rows would replace */
function openStandardInput() {
  const rejected = 'stdin.rejected.jsonl';
  const [input, output] = [fstatSync(process.stdin.fd), statSync(rejected, { throwIfNoEntry: false })];
  if (input.isFile() && input.ino === output?.ino && input.dev === output.dev)
    throw new ExpectedError(
      `standard input is ${rejected}, which the import replaces: name the file in place of -`,
      EXIT.DATAERR,
    );
  return { stream: process.stdin, size: undefined, name: 'stdin' };
}
