// Sums up what .ci/run has written into a directory: a line for each step, and tap's output where the step ran tap. Prints a line for
// each step, what was skipped, then what failed, then the sum. Exits with 1 if a step failed.
import { existsSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';

const OUTCOMES = ['passed', 'failed', 'skipped'];

const [directory] = process.argv.slice(2);
const lines = readFileSync(`${directory}/steps`, 'utf8').trim().split('\n');
const sum = [0, 0, 0];
const failures = [];

console.log('\n  seconds   passed   failed  skipped');
for (const [index, line] of lines.entries()) {
  const [code, seconds, name] = line.split('\t');
  const results = await readResults(`${directory}/${index}.tap`, code, name);
  const counts = OUTCOMES.map((outcome) => results.filter((result) => result.outcome === outcome).length);
  for (const [column, count] of counts.entries()) sum[column] += count;
  console.log([seconds, ...counts].map((number) => String(number).padStart(9)).join(''), ` ${name}`);
  for (const { outcome, title } of results)
    if (outcome === 'skipped') console.log(`${' '.repeat(38)}skipped: ${title}`);
  failures.push(...results.filter(({ outcome }) => outcome === 'failed'));
}
for (const { title, diag } of failures) console.log(`\nnot ok: ${title}`, inspect(diag, { maxStringLength: 2_000 }));
console.log(`\n${sum.map((count, column) => `${count} ${OUTCOMES[column]}`).join(', ')}`);
process.exitCode = failures.length > 0 ? 1 : 0;

/** The results of the step's tests; where none says why the step failed, or there are none, the step's own. */
async function readResults(file, code, name) {
  const results = existsSync(file) ? await parseTap(file) : [];
  const known = results.length > 0 && (code === '0' || results.some(({ outcome }) => outcome === 'failed'));
  if (known) return results;
  const outcome = code === '0' ? 'passed' : code === '77' ? 'skipped' : 'failed';
  return [...results, { outcome, title: name, diag: { code } }];
}

/** From the file on, so that a failure says where it is. */
async function parseTap(file) {
  // Not there before the first step.
  const { Parser } = await import('tap-parser');
  const results = [];
  const parser = new Parser();
  const record = (outcome) => (result) =>
    results.push({ outcome, title: [result.fullname, result.skip || []].flat().join(': '), diag: result.diag });
  for (const event of ['skip', 'todo']) parser.on(event, record('skipped'));
  parser.on('pass', record('passed'));
  parser.on('fail', record('failed'));
  parser.end(readFileSync(file));
  return results;
}
