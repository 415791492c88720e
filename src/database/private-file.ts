import { chown, mkdir, open, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Whose a file is. */
type Owner = { uid: number; gid: number };

/**
 * Creates a file that only its owner may read, unless it exists. Made by root, it is owned like the database, or else like
 * its directory: the service may run as another user.
 *
 * @returns whether it was created
 */
export async function createPrivateFile(file: string, database: string, content = ''): Promise<boolean> {
  const owner = await ownerOf(database).catch(() => ownerOf(dirname(file)));
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      if (process.getuid?.() === 0) await handle.chown(owner.uid, owner.gid);
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Creates the directory of a database where it is missing. Made by root, it is owned like the one above it. */
export async function createPrivateDirectory(directory: string): Promise<void> {
  const first = await mkdir(directory, { recursive: true, mode: 0o700 });
  if (first === undefined || process.getuid?.() !== 0) return;
  const owner = await ownerOf(dirname(first));
  for (let made = resolve(directory); made.startsWith(first); made = dirname(made)) {
    await chown(made, owner.uid, owner.gid);
  }
}

async function ownerOf(path: string): Promise<Owner> {
  const { uid, gid } = await stat(path);
  return { uid, gid };
}
