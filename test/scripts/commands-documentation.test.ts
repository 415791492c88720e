import { readFile } from 'node:fs/promises';
import t from 'tap';
import { describeCommands } from '../../scripts/commands-documentation.js';

t.test('docs/commands.md describes the commands as the code has them', async (t) => {
  const page = await readFile(new URL('../../docs/commands.md', import.meta.url), 'utf8');
  const [described] = page.split('\n## JSON\n');
  t.equal(described, describeCommands(), 'else run npm run docs');
});
