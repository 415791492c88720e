import { type Command, InvalidArgumentError, Option } from 'commander';
import { ALGORITHMS } from '../../tokens/jwk-set.js';
import { describeVariables } from '../variables.js';

const HELP = `
Run with the service's variables: JWT_KEYS_FILE names the file, TOKEN_TTL_SECONDS says how long
tokens live. After each change send SIGHUP to every instance.

To rotate, run each step at the time that the one before prints:
  $ sessions-api keys add
  $ sessions-api keys promote -- <kid>
  $ sessions-api keys remove -- <old kid>

Options come before --, after which a <kid> may begin with "-".`;

/** Declares `keys` and its verbs. */
export function declareKeysCommands(program: Command, env: NodeJS.ProcessEnv): void {
  const keys = program.command('keys').description('manage the keys that sign tokens').addHelpText('after', HELP);
  const algorithm = () => new Option('--algorithm <name>', 'of the new key').choices(ALGORITHMS).default('ES256');
  const step = (name: string, description: string) =>
    keys
      .command(name)
      .description(description)
      .argument('<kid>', 'as keys list prints it')
      .option('--published-at <time>', 'when all instances had the file of the last step', time)
      .option('--force', 'now, after a leak: the service may refuse good tokens');

  keys
    .command('generate')
    .description('create the file, with one key')
    .addOption(algorithm())
    .action(async (options) => (await import('./generate.js')).generateKeys(env, options));
  keys
    .command('list')
    .description('list the keys: their states, and from when on the next step is safe')
    .option('--json', 'print JSON, for scripts; errors too')
    .action(async (options) => (await import('./list.js')).listKeys(env, options));
  keys
    .command('add')
    .description('add a key that verifiers learn, and that does not sign yet')
    .addOption(algorithm())
    .action(async (options) => (await import('./add.js')).addKey(env, options));
  step('promote', 'let a key sign').action(async (kid, options) =>
    (await import('./promote.js')).promoteKey(env, kid, options),
  );
  step('remove', 'remove a key; the service then refuses its tokens').action(async (kid, options) =>
    (await import('./remove.js')).removeKey(env, kid, options),
  );
  for (const command of keys.commands) command.addHelpText('after', describeVariables('keys'));
}

function time(value: string): Date {
  const date = new Date(value);
  if (/^\d{4}-\d\d-\d\dT/.test(value) && !Number.isNaN(date.getTime())) return date;
  throw new InvalidArgumentError('It must be a time, as in 2026-01-31T12:00:00Z.');
}
