import type { AddHelpTextContext } from 'commander';
import type { Reader } from '../config/env-validators.js';
import { describeDefault, describeValues, variablesOf } from '../config/variables.js';

/** The end of a command's help: the variables that it reads. */
export const describeVariables =
  (reader: Reader) =>
  ({ command }: AddHelpTextContext): string => {
    const help = command.createHelp();
    const variables = variablesOf(reader);
    const width = Math.max(...variables.map(({ name }) => name.length));
    const lines = variables.map((variable) => {
      const { name, file, desc } = variable;
      const details = [describeValues(variable), `default: ${describeDefault(variable)}`, file && `or ${file}`].filter(
        Boolean,
      );
      return help.formatItem(name, width, `${desc} (${details.join('; ')})`.replaceAll('`', ''), help);
    });
    return `\nEnvironment variables:\n${lines.join('\n')}`;
  };
