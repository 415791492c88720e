import { fileURLToPath } from 'node:url';

/** Where the tests of the contract leave their counts, from which scripts/contract-report.ts makes docs/contract-report.md. */
export const RESULTS = fileURLToPath(new URL('../node_modules/.cache/contract-results', import.meta.url));

/** How often an operation had a reply: by operation and status. */
export type Counts = { [operation: string]: { [status: string]: number } };

/** A run of schemathesis. */
export type SchemathesisResult = { seed: string; tokens: string; cases: number; maxExamples: number; counts: Counts };
