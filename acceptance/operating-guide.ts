import { readFile } from 'node:fs/promises';

const GUIDE = new URL('../docs/operating.md', import.meta.url);

/** The `sh` blocks below a heading of docs/operating.md. */
export async function commandsOf(heading: string): Promise<string[]> {
  const [, section = ''] = (await readFile(GUIDE, 'utf8')).split(`\n${heading}\n`);
  const [own = ''] = section.split(/^#+ /m);
  return [...own.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = '']) => block);
}
