import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { declareCommands } from '../src/commands/command-line.js';
import { exitCodes, nameOfExitCode } from '../src/errors/exit-codes.js';
import { type Options, run, start } from '../test/support/executable.js';

const program = new Command('sessions-api');
declareCommands(program, {});
const help = program.createHelp();

const EMAIL = 'you@example.com';
const PASSWORD = 'correct horse battery staple';

/** Runs by which the examples of `--json` are recorded, in this order. */
const RUNS = [
  ['users add', EMAIL],
  ['migrate'],
  ['migrate --pending'],
  ['users sessions', EMAIL],
  ['users list'],
  ['users show', EMAIL],
  ['users stats'],
  ['users disable', EMAIL],
  ['users enable', EMAIL],
  ['users unlock', EMAIL],
  ['users set-password', EMAIL],
  ['users set-email', EMAIL, EMAIL],
  ['users revoke-sessions', EMAIL],
  ['users revoke-sessions --all'],
  ['users delete', EMAIL, '--yes'],
  ['users import', 'users.jsonl'],
  ['users reset-token', EMAIL],
  ['keys list'],
] as const;

const IMPORTED = `
{"email":"you@example.com","password_digest":"$2a$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW"}
{"email":"nobody","password_digest":""}
`;

/** Differ from one run to the next. */
const VOLATILE: [RegExp, string][] = [
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2026-01-31T12:00:00.000Z'],
  [/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, 'c6736fd4-0f80-4d18-81dd-af34335f56d3'],
  [/(?<="kid":")[\w-]+/g, 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'],
  [/(?<="token":")[^"]+/g, 'pr_hSaaZRqR2FfJukQARA1nr10Sw97CiaZ93qnjgUpD2Yc'],
  [/(?<=file:).*(?=\/data\/)/g, '/srv/sessions-api'],
];

/** Writes Markdown: the commands, and what they print with `--json`. */
export async function commandsDocumentation(): Promise<string> {
  const examples = await recordExamples();
  return `${describeCommands()}
## JSON

With \`--json\` these commands print their result as a line of JSON, \`keys list\` one for each key. Later versions may add members.

${examples.map(({ names, json }) => `${names.join(', ')}:\n\n\`\`\`json\n${json}\n\`\`\`\n`).join('\n')}
\`code\` is that of the [API](api.md), or the name of the [exit code](exit-codes.md).
`;
}

/** The part that does not need to run the commands. */
export function describeCommands(): string {
  const commands = leavesOf(program);
  const args = commands.flatMap((command) =>
    help.visibleArguments(command).map((each) => [`\`${each.name()}\``, help.argumentDescription(each)].join(' | ')),
  );
  return `# Commands

\`npm run docs\` writes this page from the commands themselves. In a clone the executable is \`node dist/main.js\`.
[configuration.md](configuration.md) lists the variables that commands read, [exit-codes.md](exit-codes.md) how they end.

| command | |
|---|---|
${commands.map((command) => `| \`${usageOf(command)}\` | ${command.description()} |`).join('\n')}

| argument | |
|---|---|
${[...new Set(args)].map((row) => `| ${row} |`).join('\n')}

| option | of | |
|---|---|---|
${describeOptions(commands)}
`;
}

/** Writes Markdown. */
export function exitCodesDocumentation(): string {
  const rows = exitCodes().map(([code, meaning]) => `| ${code} | \`${nameOfExitCode(Number(code))}\` | ${meaning} |`);
  return `# Exit codes

Those of sysexits.h, for the service and its commands. \`npm run docs\` writes this page.

| | \`code\` of \`--json\` | |
|---|---|---|
| 0 | | done, also if nobody reads what a command prints |
${rows.join('\n')}
| 128 and more | \`signal\` | 128 and the number of a signal, during the start of the service or an import: 143 for SIGTERM |

| a restart | exit code |
|---|---|
| helps | 69, 75; 74 once there is room; 77 once PostgreSQL grants what it refused |
| does not help | 64 to 67, 73, 78 |

A command that could not print its result (74) has done what it was asked. Run an import again that ended with 74.
`;
}

/** An option of several commands has one row. */
function describeOptions(commands: Command[]): string {
  const rows = new Map<string, { term: string; names: string[]; description: string }>();
  for (const command of commands) {
    for (const option of help.visibleOptions(command).filter(({ long }) => long !== '--help' && long !== '--json')) {
      const [term, description] = [help.optionTerm(option), help.optionDescription(option)];
      const row = rows.get(term + description) ?? { term, names: [], description };
      rows.set(term + description, { ...row, names: [...row.names, `\`${nameOf(command)}\``] });
    }
  }
  return [...rows.values()]
    .map(({ term, names, description }) => `| \`${term}\` | ${names.join(', ')} | ${description} |`)
    .join('\n');
}

function leavesOf(command: Command): Command[] {
  const visible = help.visibleCommands(command).filter((each) => !['help', 'complete'].includes(each.name()));
  return visible.flatMap((each) => (each.commands.length > 0 ? leavesOf(each) : [each]));
}

function usageOf(command: Command): string {
  return [nameOf(command), ...command.usage().split(' ')].filter((word) => word !== '[options]').join(' ');
}

function nameOf(command: Command): string {
  return command.parent && command.parent !== program ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

type Example = { names: string[]; json: string };

/** One example for all commands that print the same members. */
async function recordExamples(): Promise<Example[]> {
  checkRuns();
  const cwd = await mkdtemp(join(tmpdir(), 'sessions-api-docs-'));
  const options = { cwd, env: { JWT_KEYS_FILE: 'keys.json' }, input: `${PASSWORD}\n` };
  const examples = new Map<string, Example>();
  try {
    await run(['keys', 'generate'], options);
    await writeFile(join(cwd, 'users.jsonl'), IMPORTED);
    for (const [name, ...args] of RUNS) {
      const { stdout, stderr } = await run([...name.split(' '), ...args, '--json'], options);
      if (stdout === '') throw new Error(`${name}: ${stderr}`);
      if (name === 'users add') await logIn(options);
      const members = Object.keys(JSON.parse(stdout)).join();
      const { names, json } = examples.get(members) ?? { names: [], json: withoutVolatile(stdout.trim()) };
      examples.set(members, { names: [...names, `\`${name}\``], json });
    }
    const { stderr } = await run(['users', 'show', '7', '--json'], options);
    return [...examples.values(), { names: ['An error, the last line on standard error'], json: stderr.trim() }];
  } finally {
    await rm(cwd, { recursive: true });
  }
}

function checkRuns(): void {
  const withJson = leavesOf(program).filter(({ options }) => options.some(({ long }) => long === '--json'));
  const missing = withJson.map(nameOf).filter((name) => !RUNS.some(([recorded]) => recorded === name));
  if (missing.length > 0) throw new Error(`scripts/commands-documentation.ts runs no ${missing.join(', ')}`);
}

/** So that there is a session, and a failed login. */
async function logIn(options: Options): Promise<void> {
  const stops: (() => unknown)[] = [];
  const service = await start({ teardown: (stop: () => unknown) => stops.push(stop) }, options);
  for (const password of [PASSWORD, 'wrong']) {
    const body = new URLSearchParams({ email: EMAIL, password });
    await fetch(`${service.url}/api/v1/sessions`, { method: 'POST', body, headers: { 'User-Agent': 'Mozilla/5.0' } });
  }
  for (const stop of stops) stop();
  await service.exited;
}

function withoutVolatile(text: string): string {
  return VOLATILE.reduce((rest, [pattern, example]) => rest.replaceAll(pattern, example), text);
}
