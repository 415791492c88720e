#!/usr/bin/env node
import { Command, CommanderError } from 'commander';
import { declareCommands } from './commands/command-line.js';
import { EXIT, nameOfExitCode } from './errors/exit-codes.js';
import { ExpectedError } from './errors/expected-error.js';
import { HttpError } from './errors/http-error.js';
import { sizeThreadPool } from './passwords/thread-pool.js';

sizeThreadPool(process.env);

const asJson = process.argv.includes('--json');

const program = new Command('sessions-api').configureOutput(asJson ? { outputError: () => {} } : {}).exitOverride();
declareCommands(program, process.env);

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
