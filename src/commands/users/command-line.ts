import { type Command, InvalidArgumentError, Option } from 'commander';
import { readConfig } from '../../config/config.js';
import { MAX_ID } from '../../database/users.js';
import { parseWholeNumber } from '../../text/whole-number.js';
import type { ImportOptions, ImportSummary } from './import/import-users.js';

/** Declares `users` and its verbs: their arguments, help and examples. What they do is in users-commands.ts. */
export function declareUsersCommands(program: Command, env: NodeJS.ProcessEnv): void {
  const config = () => readConfig(env, { issuesTokens: false });
  const users = program.command('users').description('manage the users');
  const verb = (name: string, description: string, example: string): Command =>
    users.command(name).description(description).addHelpText('after', `\nExample:\n  $ sessions-api users ${example}`);
  const json = () => new Option('--json', 'print JSON, for scripts');

  verb('add <email>', `add a user, and print the id; ${PASSWORD}`, 'add you@example.com')
    .addOption(json())
    .action(async (email: string, options: { json?: true }) => {
      const { addUser } = await import('./commands.js');
      await addUser(config(), email, options);
    });

  verb('list', 'list the users in the order of their ids, a page at a time', 'list --email @example.com --disabled')
    .option('--email <part>', 'those whose email has this in it')
    .addOption(new Option('--disabled', 'those who are disabled').conflicts('enabled'))
    .option('--enabled', 'those who are not disabled')
    .option('--after <id>', 'start after this id', wholeNumber(0, MAX_ID), 0)
    .option('--limit <number>', 'at most so many', wholeNumber(1, 1000), 100)
    .addOption(json())
    .action(async ({ enabled, ...options }: ListOptions) => {
      const { listUsers } = await import('./commands.js');
      await listUsers(config(), enabled ? { ...options, disabled: false } : options);
    });

  verb('show <user>', `show a user, ${BY}`, 'show you@example.com')
    .addOption(json())
    .action(async (user: string, options: { json?: true }) => {
      const { showUser } = await import('./commands.js');
      await showUser(config(), user, options);
    });

  verb('set-password <user>', `set the password of a user, ${BY}; ${PASSWORD}`, 'set-password you@example.com')
    .addOption(json())
    .action(async (user: string, options: { json?: true }) => {
      const { setPassword } = await import('./commands.js');
      await setPassword(config(), user, options);
    });

  verb('disable <user>', `let a user, ${BY}, log in no more`, 'disable 42')
    .addOption(json())
    .action(async (user: string, options: { json?: true }) => {
      const { setDisabled } = await import('./commands.js');
      await setDisabled(config(), user, true, options);
    });

  verb('enable <user>', `let a disabled user, ${BY}, log in again`, 'enable 42')
    .addOption(json())
    .action(async (user: string, options: { json?: true }) => {
      const { setDisabled } = await import('./commands.js');
      await setDisabled(config(), user, false, options);
    });

  verb('delete <user>', `delete a user, ${BY}; asks before it does`, 'delete 42 --yes')
    .option('--yes', 'do not ask')
    .addOption(json())
    .action(async (user: string, options: { yes?: true; json?: true }) => {
      const { deleteUser } = await import('./commands.js');
      await deleteUser(config(), user, options);
    });

  verb(
    'import <file>',
    'import users from CSV with a header, or from JSON Lines; - is standard input',
    'import users.csv --dry-run',
  )
    .addHelpText('after', IMPORT_HELP)
    .option('--dry-run', 'check everything, and store nothing')
    .addOption(
      new Option('--on-conflict <what>', 'what to do with a row whose id or email another user has')
        .choices(['reject', 'update'])
        .default('reject'),
    )
    .addOption(json())
    .action(async (file: string, options: ImportOptions & { json?: true }) => {
      const { importUsers } = await import('./import/import-users.js');
      const { json, ...rest } = options;
      const summary = await importUsers(config(), file, rest);
      console.log(json ? JSON.stringify(summary) : describeImport(summary));
      if (summary.rejected > 0) process.exitCode = EXIT_REJECTED;
    });

  verb(
    'export',
    'print all users, digests included, as the JSON Lines that import reads',
    'export > users.jsonl',
  ).action(async () => {
    const { exportUsers } = await import('./commands.js');
    await exportUsers(config());
  });

  verb('stats', 'count the users by the form in which their passwords are stored', 'stats')
    .addOption(json())
    .action(async (options: { json?: true }) => {
      const { printStats } = await import('./commands.js');
      await printStats(config(), options);
    });
}

const PASSWORD = 'the password is asked for, or read from one line of standard input';
/** Some rows of an import were rejected. */
const EXIT_REJECTED = 1;

const IMPORT_HELP = `
Columns:
  id               kept: it is the token's user_id; a new one where there is none
  email            matched without regard to case and surrounding space
  password_digest  as it is; also encrypted_password (Devise) or password (Django)
  disabled_at      optional; who has one can't log in
  created_at       optional

Rows that can't be stored go to <file>.rejected.jsonl with line and reason, and the exit code is 1.
With --on-conflict update the file wins: over another email of the same id, another id of the
same email, and another digest of the same user. Run again, it changes nothing.`;

function describeImport({ added, updated, unchanged, rejected, rejected_file, dry_run }: ImportSummary): string {
  const count = (number: number) => number.toLocaleString('en');
  const counts = `${count(added)} added, ${count(updated)} updated, ${count(unchanged)} unchanged`;
  const rejects = rejected_file === null ? '0 rejected' : `${count(rejected)} rejected: see ${rejected_file}`;
  return `${dry_run ? 'dry run, nothing is stored: ' : ''}${counts}, ${rejects}`;
}

const BY = 'named by id or email';

type ListOptions = { email?: string; enabled?: true; disabled?: boolean; after: number; limit: number; json?: true };

function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = parseWholeNumber(value, least, most);
    if (number !== undefined) return number;
    throw new InvalidArgumentError(`It has to be a whole number from ${least} to ${most}.`);
  };
}
