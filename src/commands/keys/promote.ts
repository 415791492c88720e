import { print } from '../standard-output.js';
import { changeKeys, keyNamed, keysFileOf, readKeys } from './keys-file.js';
import { formatSeconds, nowInSeconds, promotableAt, refuseUntil, removableAt, type Step, withTtl } from './rotation.js';

export async function promoteKey(env: NodeJS.ProcessEnv, kid: string, step: Step): Promise<void> {
  const file = keysFileOf(env);
  const keys = readKeys(file);
  if (keyNamed(keys, kid) === keys[0]) return void (await print(`${kid} signs already\n`));
  const [signing, retired] = await changeKeys(file, (keys) => {
    const promoted = keyNamed(keys, kid);
    refuseUntil(promotableAt(promoted, step), `verifiers know ${kid}`, step);
    const { retired_at: _, ...jwk } = promoted.jwk;
    const [signing, ...others] = keys.filter((key) => key !== promoted).map((key) => key.jwk);
    const first = withTtl(jwk, env);
    return signing ? [first, { ...withTtl(signing, env), retired_at: nowInSeconds() }, ...others] : [first];
  });
  await print(`${kid} (${signing?.algorithm}) signs once all instances have reloaded (SIGHUP).\n`);
  if (!retired) return;
  await print(`From ${formatSeconds(removableAt(retired, env))}: sessions-api keys remove -- ${retired.kid}\n`);
}
