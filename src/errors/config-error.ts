import { ExpectedError } from './expected-error.js';

/** Something in the environment is wrong. `faults` has a line for each variable, which never holds a secret. */
export class ConfigError extends ExpectedError {
  /** sysexits.h: EX_CONFIG. */
  override readonly exitCode = 78;

  constructor(readonly faults: string[]) {
    super(['the environment is not right:', ...faults.map((fault) => `  ${fault}`)].join('\n'));
  }
}
