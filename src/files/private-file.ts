import { chown, type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** Whose a file is. */
type Owner = { uid: number; gid: number };

/**
 * Creates a file that only its owner may read, whole or not at all, unless it exists. Made by root, it is owned like another
 * file, or else like its directory: the service may run as another user.
 *
 * @param like - the other file
 * @returns whether it was created
 */
export async function createPrivateFile(file: string, like: string, content = ''): Promise<boolean> {
  const owner = await ownerOf(like).catch(() => ownerOf(dirname(file)));
  const handle = await openNew(file);
  if (!handle) return false;
  try {
    if (process.getuid?.() === 0) await handle.chown(owner.uid, owner.gid);
    await handle.writeFile(content);
    await handle.sync();
    return true;
  } catch (error) {
    // Empty, or root's, the next start would take it for what it must be.
    await rm(file, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Returns undefined where the file exists. */
async function openNew(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, 'wx', 0o600);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return undefined;
    throw error;
  }
}

/** Creates a directory where it is missing. Made by root, it is owned like the one above it. */
export async function createPrivateDirectory(directory: string): Promise<void> {
  const first = await mkdir(resolve(directory), { recursive: true, mode: 0o700 });
  if (first === undefined || process.getuid?.() !== 0) return;
  const owner = await ownerOf(dirname(first));
  for (let made = resolve(directory); made.startsWith(first); made = dirname(made)) {
    await chown(made, owner.uid, owner.gid);
  }
}

/**
 * Warns where others may enter the directory of a file and read it.
 *
 * @param content - what they read
 */
export async function warnIfReadable(file: string, content: string, warn: (message: string) => void): Promise<void> {
  const [{ mode }, directory] = await Promise.all([stat(file), stat(dirname(file))]);
  // To read a file takes 4, to enter a directory 1.
  const isReadable = ((mode & 0o044) >> 2) & directory.mode;
  if (isReadable) warn(`other users of this machine may read ${content} in ${file}: chmod 600 ${file}`);
}

async function ownerOf(path: string): Promise<Owner> {
  const { uid, gid } = await stat(path);
  return { uid, gid };
}
