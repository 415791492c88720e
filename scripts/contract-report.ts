/** Makes docs/contract-report.md from what the last runs of test:schemathesis and test:validator have left. */
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { type Counts, RESULTS, type SchemathesisResult } from '../acceptance/contract-results.js';
import { loadContract } from '../src/contract/contract.js';

/** Of a run, by its tokens. */
const DESCRIPTIONS: { [tokens: string]: string } = {
  none: 'none | examples, coverage, fuzzing',
  user: "a user's, at all operations | examples, coverage, fuzzing",
  admin: "the admin's, at all operations | examples, coverage, fuzzing",
  each: 'to each operation the one that it asks for | examples, coverage, fuzzing, stateful',
};

const at = (path: string) => new URL(`../${path}`, import.meta.url);
const contract = loadContract();
const runs: SchemathesisResult[] = JSON.parse(await readFile(`${RESULTS}/schemathesis.json`, 'utf8'));
const judged: Counts = JSON.parse(await readFile(`${RESULTS}/validator.json`, 'utf8'));
const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: at('.'), encoding: 'utf8' }).trim();
const python = await readFile(at('acceptance/schemathesis.requirements.txt'), 'utf8');
const go = await readFile(at('acceptance/validator/go.mod'), 'utf8');

const generated = sumOf(runs.map(({ counts }) => counts));
const seeds = [...new Set(runs.map(({ seed }) => seed))];
const [{ maxExamples } = { maxExamples: 0 }] = runs.filter(({ tokens }) => tokens === 'each');
const total = runs.reduce((sum, { cases }) => sum + cases, 0);
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

Two tools that this project did not write compared \`openapi.yaml\` ${contract.version} with the service, at commit ${commit}. They found
nothing. \`npm run contract:report\` makes this page.

| | version | |
|---|---|---|
| [schemathesis](https://schemathesis.readthedocs.io) | ${versionIn(python, /^schemathesis==(.+)$/m)} | ${number(total)} cases |
| [libopenapi-validator](https://github.com/pb33f/libopenapi-validator) | ${versionIn(go, /libopenapi-validator v(\S+)/)} | ${number(exchanges)} exchanges |

Repeat it:

\`\`\`sh
SEEDS=${seeds.join(',')} MAX_EXAMPLES=${maxExamples} npm run contract:report
\`\`\`

## schemathesis

It generates requests from the document as it is served: those that the document allows, which must be accepted, and those that it
forbids, which must be refused. Each reply must be one that the document declares. Without the token that an operation asks for, each
reply is a 401. Throttling is off.

| tokens | phases | seed | cases |
|---|---|---|---|
${runs.map(({ seed, tokens, cases }) => `| ${DESCRIPTIONS[tokens]} | ${seed} | ${number(cases)} |`).join('\n')}

## libopenapi-validator

It judges each exchange of the contract tests in \`test/operations/\`, on both databases. A request that was processed must be one that the
document allows, one that was refused with 400 or 415 must not. A reply must have what is declared, and nothing else. To show that it
would find what is wrong, the test also runs it on edited copies of the document.

## Replies

How often each operation replied with each status. 429 and 503 come from the contract tests: schemathesis meets no throttling and no
database that fails.

| operation | schemathesis | contract tests |
|---|---|---|
${contract.operations.map(({ id }) => `| \`${id}\` | ${cell(generated[id])} | ${cell(judged[id])} |`).join('\n')}

Declared, but seen by neither:

${[...unseen].map(([status, ids]) => `- ${status}: ${ids.length === contract.operations.length ? 'all' : ids.join(', ')}`).join('\n')}
`,
);

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
