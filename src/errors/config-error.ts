import { EXIT } from './exit-codes.js';
import { ExpectedError } from './expected-error.js';

/** The environment is not valid. `faults` has a line for each variable, without its value: it may be a secret. */
export class ConfigError extends ExpectedError {
  constructor(readonly faults: string[]) {
    super(['invalid configuration:', ...faults.map((fault) => `  ${fault}`)].join('\n'), EXIT.CONFIG);
  }
}
