import { print } from '../standard-output.js';
import { keyNamed, keysFileOf, readKeys, replaceKeysFile } from './keys-file.js';
import { formatSeconds, nowInSeconds, promotableAt, refuseUntil, removableAt, type Step } from './rotation.js';

export async function promoteKey(env: NodeJS.ProcessEnv, kid: string, step: Step): Promise<void> {
  const file = keysFileOf(env);
  const keys = readKeys(file);
  const promoted = keyNamed(keys, kid);
  const [signing, ...others] = keys;
  if (promoted === signing || !signing) return void (await print(`${kid} signs already\n`));
  refuseUntil(promotableAt(promoted, step), `verifiers know ${kid}`, step);
  const { retired_at: _, ...jwk } = promoted.jwk;
  const retired = { ...signing.jwk, retired_at: nowInSeconds() };
  await replaceKeysFile(file, [jwk, retired, ...others.filter((key) => key !== promoted).map((key) => key.jwk)]);
  await print(`${kid} (${promoted.algorithm}) signs once the replicas have reloaded (SIGHUP).\n`);
  const removable = removableAt({ ...signing, jwk: retired }, env);
  await print(`From ${formatSeconds(removable)}: sessions-api keys remove ${signing.kid}\n`);
}
