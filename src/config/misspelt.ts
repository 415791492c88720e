import { distance } from 'fastest-levenshtein';

type Found = { faults: string[]; warnings: string[] };

/** Of Kubernetes' service links, of OpenTelemetry, and of buildpacks. */
const OF_OTHERS = /_SERVICE_|_PORT|^(OTEL|BP|BPL|CNB)_/;

/**
 * Finds variables whose names are close to those of the service, such as DATABSE_URL.
 *
 * @param set - the variables that are not empty
 * @param known - names of the service's variables
 * @returns warnings; faults where the variable that is meant is unset. A name with a word more is no fault: a newer version,
 *   before a rollback, may know it
 */
export function findMisspelt(set: NodeJS.ProcessEnv, known: readonly string[]): Found {
  const found: Found = { faults: [], warnings: [] };
  for (const name of Object.keys(set)) {
    if (known.includes(name) || OF_OTHERS.test(name) || !/^[A-Z][A-Z0-9_]*$/.test(name)) continue;
    const meant = closestByEdits(name, known) ?? known.find((other) => lacksOneWord(name, other));
    const similar = meant ?? longerThan(name, known);
    if (similar === undefined) continue;
    const message = `${name} is not a variable of this version: ${similar} is similar`;
    if (meant === undefined || isSet(meant, set)) found.warnings.push(message);
    else found.faults.push(`${message}; unset ${name} if another program needs it`);
  }
  return found;
}

/** A variable may be set by its file. */
function isSet(name: string, set: NodeJS.ProcessEnv): boolean {
  const base = name.replace(/_FILE$/, '');
  return set[base] !== undefined || set[`${base}_FILE`] !== undefined;
}

function closestByEdits(name: string, known: readonly string[]): string | undefined {
  const allowed = name.length >= 12 ? 3 : name.length >= 8 ? 2 : 0;
  const [closest] = known
    .map((other) => ({ other, edits: distance(name, other) }))
    .filter(({ other, edits }) => edits <= allowed && !hasOneWordMore(name, other))
    .sort((a, b) => a.edits - b.edits);
  return closest?.other;
}

function lacksOneWord(name: string, other: string): boolean {
  return name.includes('_') && withoutOneWord(other).includes(name);
}

/** DATABASE_URL_… are databases of other programs. */
function longerThan(name: string, known: readonly string[]): string | undefined {
  return name.startsWith('DATABASE_URL_') ? undefined : known.find((other) => hasOneWordMore(name, other));
}

function hasOneWordMore(name: string, other: string): boolean {
  return other.includes('_') && withoutOneWord(name).includes(other);
}

function withoutOneWord(name: string): string[] {
  const words = name.split('_');
  return words.map((_word, i) => words.toSpliced(i, 1).join('_'));
}
