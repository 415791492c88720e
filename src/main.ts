#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { declareUsersCommands } from './commands/users/command-line.js';
import { ExpectedError } from './errors/expected-error.js';
import { sizeThreadPool } from './passwords/thread-pool.js';

/** sysexits.h: EX_USAGE. */
const EXIT_USAGE = 64;

// A command loads what it needs when it runs: the web server takes longer to load than a user takes to add.

sizeThreadPool(process.env);

const program = new Command('sessions-api')
  .description('A login service: email and password in, JSON Web Token out.')
  .exitOverride();

program
  .command('serve', { isDefault: true })
  .description('apply the migrations, then serve until SIGTERM or SIGINT; SIGHUP re-reads secrets from files')
  .action(async () => {
    // Nothing has been read yet that there would be to read again.
    process.on('SIGHUP', () => {});
    const { serve } = await import('./commands/serve.js');
    await serve(process.env);
  });

program
  .command('migrate')
  .description('apply the migrations to the database')
  .action(async () => {
    const { migrateDatabase } = await import('./commands/migrate.js');
    await migrateDatabase(process.env);
  });

program
  .command('health')
  .description('ask the service that runs here whether it lives; exit 1 where it does not')
  .action(async () => {
    const { checkHealth } = await import('./commands/health.js');
    await checkHealth(process.env);
  });

program
  .command('demo')
  .description('serve a database of its own, data/demo.db, with one user')
  .action(async () => {
    const { demo } = await import('./commands/demo.js');
    await demo(process.env);
  });

declareUsersCommands(program, process.env);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_USAGE;
  } else {
    console.error(error instanceof ExpectedError ? `sessions-api: ${error.message}` : error);
    process.exitCode = error instanceof ExpectedError ? error.exitCode : 1;
  }
}
