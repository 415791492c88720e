import { print } from '../standard-output.js';
import { changeKeys, KeysRefused, keyNamed, keysFileOf } from './keys-file.js';
import { refuseUntil, removableAt, type Step } from './rotation.js';

export async function removeKey(env: NodeJS.ProcessEnv, kid: string, step: Step): Promise<void> {
  const file = keysFileOf(env);
  await changeKeys(file, (keys) => {
    const removed = keyNamed(keys, kid);
    if (removed === keys[0]) throw new KeysRefused(`${kid} signs: promote another key first`);
    refuseUntil(removableAt(removed, env, step), `the last token of ${kid} expires`, step);
    return keys.filter((key) => key !== removed).map(({ jwk }) => jwk);
  });
  await print(`The instances refuse tokens of ${kid} once they have reloaded (SIGHUP).\n`);
}
