import { readConfig } from '../../config/config.js';
import { type ImportOptions, type ImportSummary, importUsers } from './import/import-users.js';
import { type Output, printJson } from './print.js';

/** Some rows were rejected. */
const EXIT_REJECTED = 1;

/** Imports users, and prints how many rows were added, updated, left as they are, and rejected. */
export async function runImport(
  env: NodeJS.ProcessEnv,
  file: string,
  { json, ...options }: Output & ImportOptions,
): Promise<void> {
  const summary = await importUsers(readConfig(env, { issuesTokens: false }), file, options);
  if (json) printJson(summary);
  else console.log(describeSummary(summary));
  if (summary.rejected > 0) process.exitCode = EXIT_REJECTED;
}

function describeSummary({ added, updated, unchanged, rejected, rejected_file, dry_run }: ImportSummary): string {
  const count = (number: number) => number.toLocaleString('en');
  const counts = `${count(added)} added, ${count(updated)} updated, ${count(unchanged)} unchanged`;
  const rejects = rejected_file === null ? '0 rejected' : `${count(rejected)} rejected: see ${rejected_file}`;
  return `${dry_run ? 'dry run, nothing stored: ' : ''}${counts}, ${rejects}`;
}
