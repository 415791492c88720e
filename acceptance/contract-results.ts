import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Where the tests of the contract leave their counts, from which scripts/contract-report.ts makes docs/contract-report.md. */
export const RESULTS = fileURLToPath(new URL('../node_modules/.cache/contract-results', import.meta.url));

/** How often an operation had a reply: by operation and status. */
export type Counts = { [operation: string]: { [status: string]: number } };

/** A run of schemathesis, and the commit that it had. */
export type SchemathesisResult = {
  commit: string;
  seed: string;
  tokens: string;
  cases: number;
  maxExamples: number;
  counts: Counts;
};

/** The commit that is checked out. */
export function currentCommit(): string {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
}
