import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REDOCLY = fileURLToPath(import.meta.resolve('@redocly/cli/bin/cli.js'));
const OUTSIDE = 'x-replies-outside-operations';

/** An OpenAPI document, as far as it is read here. */
export type Document = {
  info: { version: string };
  paths: { [path: string]: PathItem };
  [OUTSIDE]?: object;
};
export type PathItem = { parameters?: object[]; [method: string]: unknown };

/** A change as `redocly diff` reports it. */
type Change = {
  /** Where it is: a JSON pointer. */
  path: string;
  typeName: string;
  kind: 'added' | 'removed' | 'modified';
  impact: 'major' | 'minor' | 'patch';
  property?: string;
  verdicts: { impact: Change['impact']; message: string }[];
  base?: { value?: unknown };
  revision?: { value?: unknown };
};

/**
 * Names what a client of one document can rely on and a client of its revision can't: an operation, a field or a status
 * that is gone, an input that is tightened, an output that is widened.
 *
 * @throws Error where redocly can't compare the two
 */
export function breakingChanges(base: Document, revision: Document): string[] {
  return compare(normal(base), normal(revision)).flatMap((change) => {
    const where = change.path.replace(/^#\/(paths\/)?/, '').replaceAll('~1', '/');
    return reasons(change).map((reason) => `${where}: ${reason}`);
  });
}

function compare(base: Document, revision: Document): Change[] {
  const directory = mkdtempSync(join(tmpdir(), 'sessions-api-contract-'));
  try {
    const files = Object.entries({ base, revision }).map(([name, document]) => {
      const file = join(directory, `${name}.json`);
      writeFileSync(file, JSON.stringify(document));
      return file;
    });
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [REDOCLY, 'diff', ...files, '--format=json', '--fail-on=none'],
      { encoding: 'utf8', env: { ...process.env, REDOCLY_TELEMETRY: 'off' }, maxBuffer: 64 * 1024 * 1024 },
    );
    try {
      return JSON.parse(stdout).changes;
    } catch (cause) {
      throw new Error(`redocly can't compare the contracts: ${stderr}`, { cause });
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Says in one way what OpenAPI lets be said in two, and puts replies that no operation makes where redocly looks. */
function normal({ paths, [OUTSIDE]: responses, ...document }: Document): Document {
  const items = Object.entries(paths).map(([path, { parameters = [], ...item }]) => [
    path,
    Object.fromEntries(Object.entries(item).map(([key, value]) => [key, withParameters(value, parameters)])),
  ]);
  const outside = responses && { [`/${OUTSIDE}`]: { trace: { responses } } };
  return { ...document, paths: { ...Object.fromEntries(items), ...outside } };
}

function withParameters(operation: unknown, parameters: object[]): unknown {
  if (typeof operation !== 'object' || operation === null || !('responses' in operation)) return operation;
  const own = 'parameters' in operation && Array.isArray(operation.parameters) ? operation.parameters : [];
  return { ...operation, parameters: [...parameters, ...own] };
}

/** Why a change breaks, by redocly's verdict or, where that is too mild for us, by our own. */
function reasons({ path, typeName, kind, impact, property, verdicts, base, revision }: Change): string[] {
  if (impact === 'major') {
    const messages = verdicts.filter((verdict) => verdict.impact === 'major').map(({ message }) => message);
    return messages.length > 0 ? messages : [`${property ?? typeName} was ${kind}.`];
  }
  if (property === 'x-max-content-length' && Number(revision?.value ?? 0) < Number(base?.value ?? Infinity)) {
    return [`\`${property}\` fell from ${base?.value} to ${revision?.value}.`];
  }
  if (typeName === 'Header' && property === 'required' && base?.value === true) {
    return ['The header is no longer sent always.'];
  }
  if (kind === 'removed' && typeName === 'Schema' && /\/requestBody\/.*\/properties\/[^/]+$/.test(path)) {
    return ['The field was removed.'];
  }
  return [];
}
