#!/usr/bin/env node
import { Command } from 'commander';
import { ConfigError, readConfig } from './config.js';
import { DatabaseUnavailable, migrate } from './database.js';
import { demo } from './demo.js';
import { CannotListen, serve } from './serve.js';
import { addUser, UserRefused } from './users-commands.js';

/** sysexits.h: EX_CONFIG. */
const EXIT_CONFIG = 78;

const program = new Command('sessions-api').description('A login service: email and password in, JSON Web Token out.');

program
  .command('serve', { isDefault: true })
  .description('apply the migrations, then serve until SIGTERM or SIGINT')
  .action(async () => {
    await serve(readConfig(process.env, { issuesTokens: true }));
  });

program
  .command('migrate')
  .description('apply the migrations to the database')
  .action(async () => {
    const applied = await migrate(readConfig(process.env, { issuesTokens: false }).databaseUrl);
    for (const name of applied) console.log(`applied ${name}`);
    if (applied.length === 0) console.log('nothing to apply');
  });

program
  .command('demo')
  .description('serve a database of its own, data/demo.db, with one user')
  .action(() => demo(process.env));

const users = program.command('users').description('manage the users');

users
  .command('add <email>')
  .description('add a user; asks for the password, or reads it from one line of standard input; prints the id')
  .action(async (email: string) => {
    console.log(await addUser(readConfig(process.env, { issuesTokens: false }), email));
  });

try {
  await program.parseAsync();
} catch (error) {
  const expected = [ConfigError, DatabaseUnavailable, CannotListen, UserRefused].some((type) => error instanceof type);
  console.error(expected && error instanceof Error ? `sessions-api: ${error.message}` : error);
  process.exitCode = error instanceof ConfigError ? EXIT_CONFIG : 1;
}
