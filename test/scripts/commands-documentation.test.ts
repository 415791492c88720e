import { readFile } from 'node:fs/promises';
import t from 'tap';
import { describeCommands, exitCodesDocumentation } from '../../scripts/commands-documentation.js';

const read = (page: string) => readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8');

t.test('docs/commands.md describes the commands as the code has them', async (t) => {
  const [described] = (await read('commands.md')).split('\n## JSON\n');
  t.equal(described, describeCommands(), 'else run npm run docs');
});

t.test('docs/exit-codes.md too', async (t) => {
  t.equal(await read('exit-codes.md'), exitCodesDocumentation(), 'else run npm run docs');
});
