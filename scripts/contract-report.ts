/** Makes docs/contract-report.md from what the last runs of test:schemathesis and test:validator have left. */
import { readFile, writeFile } from 'node:fs/promises';
import { type Counts, currentCommit, RESULTS, type SchemathesisResult } from '../acceptance/contract-results.js';
import { loadContract } from '../src/contract/contract.js';

/** Of a run, by its tokens: the heading of its column. */
const DESCRIPTIONS: { [tokens: string]: string } = {
  none: 'none',
  user: "a user's",
  admin: "the admin's",
  each: 'what each operation asks for',
};

/** Why nothing replies so in these runs. */
const UNSEEN: { [status: string]: string } = {
  405: 'counted at another operation of the same path',
};

const at = (path: string) => new URL(`../${path}`, import.meta.url);
const contract = loadContract();
const runs: SchemathesisResult[] = JSON.parse(await readFile(`${RESULTS}/schemathesis.json`, 'utf8'));
const judged: Counts = JSON.parse(await readFile(`${RESULTS}/validator.json`, 'utf8'));
const python = await readFile(at('acceptance/schemathesis.requirements.txt'), 'utf8');
const go = await readFile(at('acceptance/validator/go.mod'), 'utf8');

const generated = sumOf(runs.map(({ counts }) => counts));
const seeds = [...new Set(runs.map(({ seed }) => seed))];
const commits = [...new Set(runs.map(({ commit }) => commit))];
const columns = Object.keys(DESCRIPTIONS);
const [{ maxExamples } = { maxExamples: 0 }] = runs.filter(({ tokens }) => tokens === 'each');
const exchanges = Object.values(judged)
  .flatMap(Object.values<number>)
  .reduce((sum, count) => sum + count, 0);
const unseen = new Map<number, string[]>();
for (const { id, replies } of contract.operations) {
  for (const status of replies.keys()) {
    if (!generated[id]?.[status] && !judged[id]?.[status]) {
      unseen.set(status, [...(unseen.get(status) ?? []), `\`${id}\``]);
    }
  }
}

await writeFile(
  at('docs/contract-report.md'),
  `# Contract report

Two tools that this project did not write compared \`openapi.yaml\` ${contract.version} with the service. They found nothing.
\`npm run contract:report\` makes this page.

| | version | | commit |
|---|---|---|---|
| [schemathesis](https://schemathesis.readthedocs.io) | ${versionIn(python, /^schemathesis==(.+)$/m)} | ${number(casesOf(runs))} cases | ${commits.join(', ')} |
| [libopenapi-validator](https://github.com/pb33f/libopenapi-validator) | ${versionIn(go, /libopenapi-validator v(\S+)/)} | ${number(exchanges)} exchanges | ${currentCommit()} |

Repeat it:

\`\`\`sh
SEEDS=${seeds.join(',')} MAX_EXAMPLES=${maxExamples} npm run contract:report
\`\`\`

CI runs \`npm run test:schemathesis\` without the variables: seed 1, some 20,000 cases.

## schemathesis

It generates requests from the document as it is served: those that the document allows, which must be accepted, and those that it
forbids, which must be refused. Each reply must be one that the document declares. Without the token that an operation asks for, each
reply is a 401. Throttling is off.

Phases: examples, coverage and fuzzing; stateful too, along the \`links\`, in the run that gives to each operation the token that it
asks for. Cases by seed and tokens:

| seed | ${columns.map((tokens) => DESCRIPTIONS[tokens]).join(' | ')} | sum |
|---|${columns.map(() => '---|').join('')}---|
${seeds.map(rowOf).join('\n')}

## libopenapi-validator

It judges each exchange of the contract tests in \`test/operations/\`, on both databases. A request that was processed must be one that the
document allows, one that was refused with 400 or 415 must not. A reply must have what is declared, and nothing else. To show that it
would find what is wrong, the test also runs it on edited copies of the document.

## Replies

How often each operation replied with each status. 413, 429, 500 and 503 come from the contract tests: schemathesis sends no long bodies,
and meets no throttling, no database that fails and no defect.

| operation | schemathesis | contract tests |
|---|---|---|
${contract.operations.map(({ id }) => `| \`${id}\` | ${cell(generated[id])} | ${cell(judged[id])} |`).join('\n')}

Declared, but seen by neither:

${[...unseen].map(([status, ids]) => `- ${status}, ${UNSEEN[status] ?? 'not provoked'}: ${ids.join(', ')}`).join('\n')}
`,
);

function rowOf(seed: string): string {
  const ofSeed = runs.filter((run) => run.seed === seed);
  const cells = columns.map((column) => casesOf(ofSeed.filter(({ tokens }) => tokens === column)));
  return `| ${seed} | ${[...cells, casesOf(ofSeed)].map(number).join(' | ')} |`;
}

function casesOf(some: SchemathesisResult[]): number {
  return some.reduce((sum, { cases }) => sum + cases, 0);
}

function sumOf(all: Counts[]): Counts {
  const sum: Counts = {};
  for (const [id, counts] of all.flatMap(Object.entries<Counts[string]>)) {
    const statuses = { ...sum[id] };
    for (const [status, count] of Object.entries(counts)) statuses[status] = (statuses[status] ?? 0) + count;
    sum[id] = statuses;
  }
  return sum;
}

function cell(counts: Counts[string] = {}): string {
  return Object.entries(counts)
    .map(([status, count]) => `${status}: ${number(count)}`)
    .join(', ');
}

function versionIn(text: string, pattern: RegExp): string {
  const [, version] = text.match(pattern) ?? [];
  if (!version) throw new Error(`no version: ${pattern}`);
  return version;
}

function number(count: number): string {
  return count.toLocaleString('en');
}
