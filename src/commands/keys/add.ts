import type { Algorithm } from '../../tokens/jwk-set.js';
import { print } from '../standard-output.js';
import { changeKeys, generateJwk, keysFileOf } from './keys-file.js';
import { formatSeconds, nowInSeconds, promotableAt, withTtl } from './rotation.js';

export async function addKey(env: NodeJS.ProcessEnv, { algorithm }: { algorithm: Algorithm }): Promise<void> {
  const file = keysFileOf(env);
  const keys = await changeKeys(file, async (keys) => [
    ...keys.map(({ jwk }, index) => (index === 0 ? withTtl(jwk, env) : jwk)),
    await generateJwk(algorithm, nowInSeconds()),
  ]);
  const added = keys.at(-1);
  if (!added) return;
  await print(`${added.kid} (${algorithm}) is published once all instances have reloaded (SIGHUP).\n`);
  await print(`From ${formatSeconds(promotableAt(added))}: sessions-api keys promote -- ${added.kid}\n`);
}
