import { readFile } from 'node:fs/promises';

/** The blocks of code in one language directly below a heading of a file in docs/. */
export async function blocksOf(file: string, heading: string, language = 'sh'): Promise<string[]> {
  const guide = await readFile(new URL(`../docs/${file}`, import.meta.url), 'utf8');
  const [, section = ''] = guide.split(`\n${heading}\n`);
  const [own = ''] = section.split(/^##+ /m);
  const blocks = own.matchAll(/^```(\w+)\n(.*?)^```$/gms);
  return [...blocks].filter(([, name]) => name === language).map(([, , block = '']) => block);
}
