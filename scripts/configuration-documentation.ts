import { READERS } from '../src/config/env-validators.js';
import { describeDefault, describeValues, variablesOf } from '../src/config/variables.js';

const BEGIN = '<!-- made by `npm run docs` from src/config/variables.ts -->\n';
const END = '<!-- end -->\n';

/** Replaces the tables of variables in docs/configuration.md. */
export function configurationDocumentation(page: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('docs/configuration.md has lost the marks of its tables');
  return `${page.slice(0, begin)}${BEGIN}\n${tables()}\n${page.slice(end)}`;
}

function tables(): string {
  const rows = variablesOf('serve').map((variable) =>
    [namesOf(variable), describeValues(variable), describeDefault(variable), variable.desc].join(' | '),
  );
  const readers = READERS.filter((reader) => reader !== 'serve').map(
    (reader) => `\`${reader}\` | ${variablesOf(reader).map(namesOf).join(', ')}`,
  );
  return `| variable | value | default | meaning |
|---|---|---|---|
${rows.map((row) => `| ${row} |`).join('\n')}

| command | reads |
|---|---|
| \`serve\`, \`serve --check\` | all |
| \`demo\` | all but \`DATABASE_URL\` and \`ADMIN_TOKENS\` |
${readers.map((row) => `| ${row} |`).join('\n')}
`;
}

function namesOf({ name, file }: { name: string; file?: string | undefined }): string {
  return file ? `\`${name}\`, \`${file}\`` : `\`${name}\``;
}
