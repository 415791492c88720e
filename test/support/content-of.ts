import { readdirSync, readFileSync } from 'node:fs';

/** The paths below a directory, with the content of files. */
export function contentOf(directory: string): Map<string, string> {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  return new Map(
    entries.map((entry) => {
      const path = `${entry.parentPath}/${entry.name}`;
      return [path, entry.isFile() ? readFileSync(path, 'latin1') : ''];
    }),
  );
}
