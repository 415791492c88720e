import { print } from '../standard-output.js';
import { changeKeys, keyNamed, keysFileOf, readKeys, type StoredJwk } from './keys-file.js';
import {
  formatSeconds,
  longestTtlOf,
  nowInSeconds,
  promotableAt,
  refuseUntil,
  removableAt,
  type Step,
} from './rotation.js';

export async function promoteKey(env: NodeJS.ProcessEnv, kid: string, step: Step): Promise<void> {
  const file = keysFileOf(env);
  const keys = readKeys(file);
  if (keyNamed(keys, kid) === keys[0]) return void (await print(`${kid} signs already\n`));
  const [signing, retired] = await changeKeys(file, (keys) => {
    const promoted = keyNamed(keys, kid);
    refuseUntil(promotableAt(promoted, step), `verifiers know ${kid}`, step);
    const { retired_at: _, ...jwk } = promoted.jwk;
    const [signing, ...others] = keys.filter((key) => key !== promoted).map((key) => key.jwk);
    const noted = (signer: StoredJwk) => ({ ...signer, token_ttl_seconds: longestTtlOf(signer, env) });
    return signing ? [noted(jwk), { ...noted(signing), retired_at: nowInSeconds() }, ...others] : [noted(jwk)];
  });
  await print(`${kid} (${signing?.algorithm}) signs once all instances have reloaded (SIGHUP).\n`);
  if (!retired) return;
  await print(`From ${formatSeconds(removableAt(retired, env))}: sessions-api keys remove -- ${retired.kid}\n`);
}
