/** Compares openapi.yaml with the one of a git revision, names what breaks its clients, and exits with 1 where any does. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { parse } from 'yaml';
import { breakingChanges, type Document } from './breaking-changes.js';

const CONTRACT = 'openapi.yaml';

const program = new Command('contract:diff')
  .description('Names the changes to openapi.yaml since a git revision that break its clients; exits with 1 on any.')
  .argument('[revision]', 'what to compare with', 'HEAD')
  .option('--unless-major-raised', 'let them pass where the major number of info.version was raised');
const [revision] = program.parse().processedArgs;
const { unlessMajorRaised = false } = program.opts();

const before: Document = parse(contractAt(revision));
const now: Document = parse(readFileSync(CONTRACT, 'utf8'));
const breaking = breakingChanges(before, now);
const raised = major(now) > major(before);

console.log(
  `${CONTRACT}: ${before.info.version} at ${revision}, ${now.info.version} now; breaking: ${breaking.length}`,
);
for (const change of breaking) console.log(`  ${change}`);
if (breaking.length > 0 && !(unlessMajorRaised && raised)) {
  if (!raised) console.error(`A change that breaks has to raise the major number of ${CONTRACT}'s info.version`);
  process.exit(1);
}

function contractAt(commit: string): string {
  try {
    return execFileSync('git', ['show', `${commit}:./${CONTRACT}`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  } catch {
    return program.error(`there is no ${CONTRACT} at git revision ${commit}`, { exitCode: 2 });
  }
}

function major({ info }: Document): number {
  return Number(info.version.split('.', 1)[0]);
}
