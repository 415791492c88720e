#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { declareCompletion } from './commands/completion.js';
import { declareKeysCommands } from './commands/keys/command-line.js';
import { declareUsersCommands } from './commands/users/command-line.js';
import { describeVariables } from './commands/variables.js';
import { VERSION } from './commands/version.js';
import { describeExitCodes, EXIT, nameOfExitCode } from './errors/exit-codes.js';
import { ExpectedError } from './errors/expected-error.js';
import { HttpError } from './errors/http-error.js';
import { sizeThreadPool } from './passwords/thread-pool.js';

// Each command is loaded when it runs: the web server is slow to load.

sizeThreadPool(process.env);

const asJson = process.argv.includes('--json');

const program = new Command('sessions-api')
  .description('A login service: email and password in, JSON Web Token out.')
  .version(VERSION)
  .addHelpText('after', () => `\nExit codes:\n${describeExitCodes()}`)
  .configureOutput(asJson ? { outputError: () => {} } : {})
  .exitOverride();

const command = (name: string, description: string, run: (options: { check?: true }) => Promise<void>) =>
  program.command(name).description(description).action(run);

command(
  'serve',
  'apply the migrations, then serve until SIGTERM or SIGINT; SIGHUP reloads secrets from files (default)',
  async ({ check }) => {
    if (check) return await (await import('./commands/check.js')).check(process.env);
    // Nothing to reload yet.
    process.on('SIGHUP', () => {});
    await (await import('./commands/serve.js')).serve(process.env);
  },
)
  .option('--check', 'check the settings, database, keys, files and TLS, and exit; change nothing')
  .addHelpText('after', describeVariables('serve'));
program
  .command('migrate')
  .description('apply the migrations to the database')
  .option('--pending', 'list the migrations to come, and what they lock; change nothing')
  .option('--json', 'print JSON, for scripts')
  .action(async (options) => (await import('./commands/migrate.js')).migrateDatabase(process.env, options))
  .addHelpText('after', describeVariables('migrate'));
command('health', 'check that the service on this host is alive; exit 1 if it is not', async () => {
  await (await import('./commands/health.js')).checkHealth(process.env);
}).addHelpText('after', describeVariables('health'));
command('demo', 'serve one user from a separate database, data/demo.db', async () => {
  await (await import('./commands/demo.js')).demo(process.env);
});
declareUsersCommands(program, process.env);
declareKeysCommands(program, process.env);
declareCompletion(program);

try {
  const args = process.argv.slice(2);
  // Not by commander's `isDefault`, which takes an unknown command for an argument of the default one.
  await program.parseAsync(args.length > 0 ? args : ['serve'], { from: 'user' });
} catch (error) {
  if (!(error instanceof CommanderError)) {
    process.exitCode = error instanceof ExpectedError ? error.exitCode : EXIT.SOFTWARE;
    if (asJson) printAsJson(error, process.exitCode);
    else console.error(error instanceof ExpectedError ? `sessions-api: ${error.message}` : error);
  } else if (error.exitCode !== 0) {
    process.exitCode = EXIT.USAGE;
    if (asJson) printAsJson(error, process.exitCode);
  }
}

/** On standard error: standard output is for the result. */
function printAsJson(error: unknown, exitCode: number): void {
  const isBug = !(error instanceof ExpectedError || error instanceof CommanderError);
  const message = error instanceof Error ? (isBug && error.stack) || error.message : String(error);
  const { clientCode, errors } = error instanceof HttpError ? error : {};
  console.error(JSON.stringify({ message, code: clientCode ?? nameOfExitCode(exitCode), exit_code: exitCode, errors }));
}
