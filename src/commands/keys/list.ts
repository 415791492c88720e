import { type Output, printJson, printTable } from '../print.js';
import { keysFileOf, readKeys, type StoredKey } from './keys-file.js';
import { formatSeconds, promotableAt, removableAt } from './rotation.js';

/** Prints the keys without their private halves. */
export async function listKeys(env: NodeJS.ProcessEnv, { json }: Output): Promise<void> {
  const keys = readKeys(keysFileOf(env));
  const rows = keys.map((key, index) => describe(key, index === 0, env));
  if (json) {
    for (const row of rows) await printJson(row);
    return;
  }
  await printTable([
    ['KID', 'ALG', 'STATE', 'NEXT'],
    ...rows.map(({ kid, alg, state, next, from }) => [
      kid,
      alg,
      state,
      next && `${next}${from ? ` from ${from}` : ''}`,
    ]),
  ]);
}

function describe(key: StoredKey, signs: boolean, env: NodeJS.ProcessEnv) {
  const { kid, algorithm: alg, jwk } = key;
  if (signs) return { kid, alg, state: 'signs', next: '', from: null };
  const [state, next, time] =
    jwk.retired_at === undefined
      ? ['published', 'promote', promotableAt(key)]
      : ['retired', 'remove', removableAt(key, env)];
  return { kid, alg, state, next, from: Number.isFinite(time) ? formatSeconds(Number(time)) : null };
}
