import type { Algorithm } from '../../tokens/jwk-set.js';
import { print } from '../standard-output.js';
import { createKeysFile, generateJwk, keysFileOf, readKeys } from './keys-file.js';
import { longestTtlOf, nowInSeconds } from './rotation.js';

export async function generateKeys(env: NodeJS.ProcessEnv, { algorithm }: { algorithm: Algorithm }): Promise<void> {
  const file = keysFileOf(env);
  const jwk = await generateJwk(algorithm, nowInSeconds());
  // The configuration can't be read with a file that is not there yet.
  const token_ttl_seconds = longestTtlOf(jwk, { ...env, JWT_KEYS_FILE: undefined });
  await createKeysFile(file, [{ ...jwk, token_ttl_seconds }]);
  for (const { kid } of readKeys(file))
    await print(`${kid} (${algorithm}) signs once the service is started with it\n`);
}
