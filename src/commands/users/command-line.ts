import { isIP } from 'node:net';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { MAX_ID } from '../../database/users.js';
import { EXIT } from '../../errors/exit-codes.js';
import { parseScryptParameters, type ScryptCost } from '../../passwords/formats/scrypt.js';
import { parseWholeNumber } from '../../text/whole-number.js';
import type { Output } from '../print.js';
import { describeVariables } from '../variables.js';

/** Loads what a verb does: `serve` starts without it. */
type Load<Args extends unknown[]> = () => Promise<(env: NodeJS.ProcessEnv, ...args: Args) => Promise<void>>;

const PASSWORD = 'prompts for the password, or reads it from one line of standard input';

const ALLOW_WEAK = ['--allow-weak', 'store a password that the policy for passwords refuses'] as const;

const USER = ['<user>', 'an id or an email'] as const;

/** The verbs that take <user>, and no option but --json. */
const USER_VERBS: [name: string, description: string, load: Load<[user: string, Output]>][] = [
  ['sessions', 'list the sessions of a user', async () => (await import('./sessions.js')).listSessions],
  ['disable', 'disable a user, and end all sessions', async () => (await import('./change.js')).disableUser],
  ['unlock', 'forgive the failed logins of a user', async () => (await import('./change.js')).unlockUser],
  ['enable', 'enable a disabled user', async () => (await import('./change.js')).enableUser],
];

const IMPORT_HELP = `
Columns:
  id                  kept, so that tokens keep their user_id; if empty, the user gets a new one
  email               matched without regard to case and surrounding space
  password_digest     stored unchanged, but see --scrypt-parameters; also encrypted_password (Devise) or password (Django)
  peppered            optional; whether bcrypt read BCRYPT_PEPPER too; if empty, it did if that is set
  disabled_at         optional; a time disables the user
  created_at          optional
  email_confirmed_at  optional; a time confirms the email; a new email without it is not confirmed

Tab-separated is the text of MySQL's INTO OUTFILE and PostgreSQL's COPY: backslashes escape, \\N is
an empty cell. An empty cell changes nothing that is stored; null in JSON clears it, but no digest.

The import writes rejected rows to <file>.rejected.jsonl with line and reason, or to
stdin.rejected.jsonl if <file> is a pipe; the exit code is then ${EXIT.DATAERR}. Correct them there, and import
that file. It has the columns above; of the digests, only those of a known format.
Ctrl-C stops the import after a batch, and says how far it came; run it again to go on.
--on-conflict update replaces the email of an id, the id of an email, and the digest of a user. A
second run changes nothing.`;

const SCRYPT_PARAMETERS = "of Node's scrypt, for digests that are SALT:KEY (default: better-auth's, N=16384,r=16,p=1)";

/** Declares `users` and its verbs: arguments, options, help and examples. */
export function declareUsersCommands(program: Command, env: NodeJS.ProcessEnv): void {
  const users = program.command('users').description('manage users');
  const verb = <Args extends unknown[]>(name: string, example: string, description: string, load: Load<Args>) =>
    users
      .command(name)
      .description(description)
      .addHelpText('after', `\nExample:\n  $ sessions-api users ${name} ${example}`)
      .action(async (...args: Args) => (await load())(env, ...args));

  const added = `add a user and print the id; ${PASSWORD}`;
  verb('add', 'you@example.com', added, async () => (await import('./add.js')).addUser)
    .argument('<email>')
    .addOption(wholeNumber('--id <id>', 'in place of the next id', 1, MAX_ID))
    .option(...ALLOW_WEAK);
  const changed = 'change the email of a user';
  verb('set-email', '42 new@example.com', changed, async () => (await import('./change.js')).setUserEmail)
    .argument(...USER)
    .argument('<new-email>');
  const token = 'print a token to reset a password: it voids an earlier one';
  verb(
    'reset-token',
    'you@example.com',
    token,
    async () => (await import('./reset-token.js')).printResetToken,
  ).argument(...USER);
  verb('list', '--email @example.com --disabled', 'list users by id', async () => (await import('./list.js')).listUsers)
    .option('--email <part>', 'only emails that contain this')
    .addOption(new Option('--disabled', 'only disabled users').conflicts('enabled'))
    .option('--enabled', 'only enabled users')
    .addOption(wholeNumber('--after <id>', 'only ids after this one', 0, MAX_ID).default(0))
    .addOption(wholeNumber('--limit <number>', 'the most users to list', 1, 1000).default(100));
  const shown = 'show a user, and the failed logins that count against all addresses';
  verb('show', 'you@example.com --address 192.0.2.1', shown, async () => (await import('./show.js')).showUser)
    .argument(...USER)
    .option('--address <ip>', 'also the failed logins that count against this address', ipAddress);
  const set = `set a password; ${PASSWORD}`;
  verb('set-password', 'you@example.com', set, async () => (await import('./change.js')).setUserPassword)
    .argument(...USER)
    .option(...ALLOW_WEAK);
  for (const [name, description, load] of USER_VERBS)
    verb(name, 'you@example.com', description, load).argument(...USER);
  const ended = 'end all sessions of a user, or one of them, or those of all users; they may log in again';
  verb('revoke-sessions', 'you@example.com', ended, async () => (await import('./sessions.js')).revokeSessions)
    .argument('[user]', USER[1])
    .argument('[sid]', 'the id of a session, as users sessions prints it')
    .option('--all', 'of all users');
  verb('delete', '42 --yes', 'delete a user', async () => (await import('./delete.js')).deleteUser)
    .argument(...USER)
    .option('--yes', 'delete without confirmation');
  verb('import', 'users.csv --dry-run', 'import users from a file', async () => (await import('./import.js')).runImport)
    .argument('<file>', 'CSV or tab-separated, with a header, or JSON Lines; - is standard input')
    .addHelpText('after', IMPORT_HELP)
    .option('--dry-run', 'check all rows, store nothing')
    .option('--delimiter <character>', 'between columns, or "tab" (default: found in the header)', delimiter)
    .option('--allow-no-password', 'store users without a password too: they can’t log in until they have one')
    .option('--empty-enables', 'an empty disabled_at enables the user, with --on-conflict update')
    .addOption(
      new Option('--on-conflict <action>', 'for a row whose id or email belongs to another user')
        .choices(['reject', 'update'])
        .default('reject'),
    )
    .option('--scrypt-parameters <N=…,r=…,p=…>', SCRYPT_PARAMETERS, scryptParameters);
  const exported = 'print all users, with digests, as JSON Lines for import';
  verb('export', '> users.jsonl', exported, async () => (await import('./export.js')).exportUsers);
  const counted = 'count users by the format of their passwords';
  verb('stats', '--json', counted, async () => (await import('./stats.js')).printStats);
  for (const command of users.commands) {
    if (command.name() !== 'export') command.option('--json', 'print JSON, for scripts; errors too');
    command.addHelpText('after', describeVariables('users'));
  }
}

function delimiter(value: string): string {
  if (value === 'tab') return '\t';
  if (/^[^"\\\r\n]$/u.test(value)) return value;
  throw new InvalidArgumentError('It must be "tab", or one character that is no quote, backslash or line break.');
}

function ipAddress(value: string): string {
  if (isIP(value) !== 0) return value;
  throw new InvalidArgumentError('It must be an IPv4 or IPv6 address.');
}

function scryptParameters(value: string): ScryptCost {
  const cost = parseScryptParameters(value);
  if (cost) return cost;
  throw new InvalidArgumentError('It must be like N=16384,r=8,p=1: N a power of two below 2^(16r), within 256 MiB.');
}

function wholeNumber(flags: string, description: string, least: number, most: number): Option {
  return new Option(flags, `${description}, ${least} to ${most}`).argParser((value) => {
    const number = parseWholeNumber(value, least, most);
    if (number !== undefined) return number;
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
  });
}
