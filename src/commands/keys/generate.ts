import type { Algorithm } from '../../tokens/jwk-set.js';
import { print } from '../standard-output.js';
import { createKeysFile, generateJwk, keysFileOf, readKeys } from './keys-file.js';
import { nowInSeconds, withTtl } from './rotation.js';

export async function generateKeys(env: NodeJS.ProcessEnv, { algorithm }: { algorithm: Algorithm }): Promise<void> {
  const file = keysFileOf(env);
  await createKeysFile(file, [withTtl(await generateJwk(algorithm, nowInSeconds()), env)]);
  for (const { kid } of readKeys(file))
    await print(`${kid} (${algorithm}) signs once the service is started with it\n`);
}
