import type { Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.js';
import { declareCompletion } from './completion.js';
import { declareKeysCommands } from './keys/command-line.js';
import { declareUsersCommands } from './users/command-line.js';
import { describeVariables } from './variables.js';
import { VERSION } from './version.js';

// Each command is loaded when it runs: the web server is slow to load.

/** Declares all commands: arguments, options and help. */
export function declareCommands(program: Command, env: NodeJS.ProcessEnv): void {
  program
    .description('A login service: email and password in, JSON Web Token out.')
    .version(VERSION)
    .addHelpText('after', () => `\nExit codes:\n${describeExitCodes()}`);
  program
    .command('serve')
    .description(
      'apply the migrations, then serve until SIGTERM or SIGINT; SIGHUP reloads secrets from files (default)',
    )
    .option('--check', 'check the settings, database, keys, files and TLS, and exit; change nothing')
    .action(async ({ check }: { check?: true }) => {
      if (check) return await (await import('./check.js')).check(env);
      // Nothing to reload yet.
      process.on('SIGHUP', () => {});
      await (await import('./serve.js')).serve(env);
    })
    .addHelpText('after', describeVariables('serve'));
  program
    .command('migrate')
    .description('apply the migrations to the database')
    .option('--pending', 'list the migrations to come, and what they lock; change nothing')
    .option('--json', 'print JSON, for scripts; errors too')
    .action(async (options) => (await import('./migrate.js')).migrateDatabase(env, options))
    .addHelpText('after', describeVariables('migrate'));
  program
    .command('health')
    .description('check that the service on this host is alive; exit 1 if it is not')
    .action(async () => (await import('./health.js')).checkHealth(env))
    .addHelpText('after', describeVariables('health'));
  program
    .command('demo')
    .description('serve one user from a separate database, data/demo.db')
    .action(async () => (await import('./demo.js')).demo(env));
  declareUsersCommands(program, env);
  declareKeysCommands(program, env);
  declareCompletion(program);
}

function describeExitCodes(): string {
  return exitCodes()
    .map(([code, meaning]) => `  ${code.padStart(2)}  ${meaning}`)
    .join('\n');
}
