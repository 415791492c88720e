import { EnvError, makeExactValidator } from 'envalid';
import { parseWholeNumber } from '../text/whole-number.js';

// envalid's own validators quote the value in their messages; it may be a secret.

/**
 * A reporter for envalid that adds errors to a list, by variable.
 *
 * @param labelOf - names a variable; undefined leaves its error out
 */
export const addTo =
  (faults: string[], labelOf: (name: string) => string | undefined = (name) => name) =>
  ({ errors }: { errors: Partial<Record<string, Error>> }) => {
    for (const [name, error] of Object.entries(errors)) {
      const label = labelOf(name);
      if (label !== undefined) faults.push(`${label} ${error?.message}`);
    }
  };

export const text = makeExactValidator((value) => value);

export const integer = (least: number, most: number) =>
  makeExactValidator((value) => {
    const number = parseWholeNumber(value, least, most);
    if (number !== undefined) return number;
    throw new EnvError(`must be a whole number from ${least} to ${most}`);
  });

export const oneOf = <const Choice extends string>(choices: readonly Choice[]) =>
  makeExactValidator((value) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice) return choice;
    throw new EnvError(`must be one of ${choices.join(', ')}`);
  });
