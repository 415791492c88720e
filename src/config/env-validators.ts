import { EnvError, makeExactValidator } from 'envalid';
import { parseWholeNumber } from '../text/whole-number.js';

// The validators of envalid put the value into their messages; a value may be a secret, so these do not.

/** A reporter for envalid that adds what is wrong, by name, to a list. */
export const addTo =
  (faults: string[]) =>
  ({ errors }: { errors: Partial<Record<string, Error>> }) => {
    for (const [name, error] of Object.entries(errors)) faults.push(`${name} ${error?.message}`);
  };

export const text = makeExactValidator((value) => value);

export const integer = (least: number, most: number) =>
  makeExactValidator((value) => {
    const number = parseWholeNumber(value, least, most);
    if (number !== undefined) return number;
    throw new EnvError(`has to be a whole number from ${least} to ${most}`);
  });

export const oneOf = <const Choice extends string>(choices: readonly Choice[]) =>
  makeExactValidator((value) => {
    const choice = choices.find((candidate) => candidate === value);
    if (choice) return choice;
    throw new EnvError(`has to be one of ${choices.join(', ')}`);
  });
