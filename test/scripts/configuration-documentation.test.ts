import { readFile } from 'node:fs/promises';
import t from 'tap';
import { configurationDocumentation } from '../../scripts/configuration-documentation.js';

t.test('docs/configuration.md describes the variables as the code has them', async (t) => {
  const page = await readFile(new URL('../../docs/configuration.md', import.meta.url), 'utf8');
  t.equal(configurationDocumentation(page), page, 'else run npm run docs');
});
