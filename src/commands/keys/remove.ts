import { EXIT } from '../../errors/exit-codes.js';
import { ExpectedError } from '../../errors/expected-error.js';
import { print } from '../standard-output.js';
import { changeKeys, keyNamed, keysFileOf } from './keys-file.js';
import { refuseUntil, removableAt, type Step } from './rotation.js';

export async function removeKey(env: NodeJS.ProcessEnv, kid: string, step: Step): Promise<void> {
  const file = keysFileOf(env);
  await changeKeys(file, (keys) => {
    const removed = keyNamed(keys, kid);
    if (removed === keys[0]) throw new ExpectedError(`${kid} signs: promote another key first`, EXIT.DATAERR);
    refuseUntil(removableAt(removed, env, step), `the last token of ${kid} expires`, step);
    return keys.filter((key) => key !== removed).map(({ jwk }) => jwk);
  });
  await print(`The instances refuse tokens of ${kid} once they have reloaded (SIGHUP).\n`);
}
