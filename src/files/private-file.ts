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
  const path = resolve(directory);
  const parent = dirname(path);
  if (await isDirectory(path)) return;
  // Not by mkdir's `recursive`, which tries for ever below /proc.
  if (parent !== path) await createPrivateDirectory(parent);
  const owner = await ownerOf(parent);
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    // Another instance has just created it.
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return;
    throw error;
  }
  if (process.getuid?.() === 0) await chown(path, owner.uid, owner.gid);
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
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
