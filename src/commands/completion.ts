import { readdirSync } from 'node:fs';
import type { ArgumentHandler } from '@bomb.sh/tab';
import tab from '@bomb.sh/tab/commander';
import type { Command } from 'commander';

/** Declares `completion`, which prints a shell's script, and `complete`, which the script calls, for the commands declared before. */
export function declareCompletion(program: Command): void {
  const completion = tab(program, { completionCommandName: 'completion' });
  for (const command of completion.commands.values()) {
    const file = command.arguments.get('file');
    if (file) file.handler = completeFile;
  }
}

/** The scripts do not complete file names by themselves. */
const completeFile: ArgumentHandler = (complete) => {
  const typed = process.argv.at(-1) ?? '';
  const directory = typed.slice(0, typed.lastIndexOf('/') + 1);
  for (const entry of readdirSync(directory || '.', { withFileTypes: true })) {
    complete(`${directory}${entry.name}${entry.isDirectory() ? '/' : ''}`, '');
  }
};
