import { readConfig } from '../../config/config.js';
import { EXIT } from '../../errors/exit-codes.js';
import { type Output, printJson } from '../print.js';
import { print } from '../standard-output.js';
import { describeCounts, type ImportOptions, type ImportSummary, importUsers } from './import/import-users.js';

/** Imports users, and prints how many rows were added, updated, left as they are, and rejected. */
export async function runImport(
  env: NodeJS.ProcessEnv,
  file: string,
  { json, ...options }: Output & ImportOptions,
): Promise<void> {
  const summary = await importUsers(readConfig(env, { issuesTokens: false }), file, options);
  if (summary.rejected > 0) process.exitCode = EXIT.DATAERR;
  if (json) await printJson(summary);
  else await print(`${describeSummary(summary)}\n`);
}

function describeSummary(summary: ImportSummary): string {
  const { rejected_file, without_password, dry_run } = summary;
  const see = rejected_file === null ? '' : `: see ${rejected_file}`;
  const without = without_password > 0 ? `; ${without_password.toLocaleString('en')} without a password` : '';
  return `${dry_run ? 'dry run, nothing stored: ' : ''}${describeCounts(summary)}${see}${without}`;
}
