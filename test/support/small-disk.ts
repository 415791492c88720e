import { execFile } from 'node:child_process';
import { chown, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { promisify } from 'node:util';
import type { Test } from 'tap';

export type SmallDisk = {
  directory: string;
  /** Fills the disk until so many bytes are left, which are rounded up to pages. */
  leave(bytes: number): Promise<void>;
  /** Gives back what `leave` took. */
  relieve(): Promise<void>;
  /** Bytes. */
  used(): Promise<number>;
};

/** Why a test is skipped without one. */
export const CANNOT_MOUNT = 'no file system of its own can be mounted here';

const PAGE = 4096;

/**
 * A file system of its own in memory, gone after the test; undefined where none can be mounted.
 *
 * @param owner - the uid of its directory
 */
export async function mountSmallDisk(t: Test, megabytes: number, owner?: number): Promise<SmallDisk | undefined> {
  const run = promisify(execFile);
  const directory = await mkdtemp(`${tmpdir()}/sessions-api-`);
  t.teardown(() => rm(directory, { recursive: true }));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'tmpfs', directory]);
  } catch {
    return undefined;
  }
  t.teardown(() => run('umount', ['--lazy', directory]));
  if (owner !== undefined) await chown(directory, owner, owner);
  const filler = `${directory}/filler`;
  return {
    directory,
    async leave(bytes) {
      const { bavail, bsize } = await statfs(directory);
      const taken = Math.max(0, bavail * bsize - Math.ceil(bytes / PAGE) * PAGE);
      // A service that runs may take some of it at the same time.
      await writeFile(filler, Buffer.alloc(taken)).catch((error) => {
        if (error.code !== 'ENOSPC') throw error;
      });
    },
    relieve: () => rm(filler),
    async used() {
      const { blocks, bfree, bsize } = await statfs(directory);
      return (blocks - bfree) * bsize;
    },
  };
}
