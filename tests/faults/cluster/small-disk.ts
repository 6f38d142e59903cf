// A disk of its own for the log, small enough to be filled to the brim and to be free again: a file system in memory. It takes an
// account that may mount, and Linux.
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError, runCommand } from '../../../platform/run-command.ts';

export type SmallDisk = {
  /** Takes every byte that is left. */
  fill(): Promise<void>;
  free(): Promise<void>;
};

const MEGABYTES = 384;
const CHUNK_BYTES = 1024 * 1024;
const MOUNT_TIMEOUT_MS = 10_000;

/** Mounts one at the folder, which is made; `unmount` ends it. Null, and said why, where that is not possible. */
export async function mountSmallDisk(dir: string, onProgress: (line: string) => void): Promise<SmallDisk | null> {
  await mkdir(dir, { recursive: true });
  try {
    await runCommand('mount', ['-t', 'tmpfs', '-o', `size=${MEGABYTES}m,mode=755`, 'roomlog-faults', dir], {
      timeoutMs: MOUNT_TIMEOUT_MS,
    });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    onProgress(`NO SMALL DISK: the log's disk cannot be filled here. ${error.message.replaceAll('\n', ' ')}`);
    return null;
  }
  const ballast = join(dir, 'ballast');
  return {
    fill: () => fill(ballast),
    free: () => rm(ballast, { force: true }),
  };
}

/** Lazy, because a server that was killed may hold a file for another moment. */
export async function unmount(dir: string): Promise<void> {
  await runCommand('umount', ['--lazy', dir], { timeoutMs: MOUNT_TIMEOUT_MS });
}

async function fill(path: string): Promise<void> {
  const file = await open(path, 'a');
  try {
    // Ever smaller pieces, so that not even the rest of a page is left.
    for (let bytes = CHUNK_BYTES; bytes >= 1; bytes = Math.floor(bytes / 16)) {
      while (await writes(file, bytes));
    }
  } finally {
    await file.close();
  }
}

async function writes(file: Awaited<ReturnType<typeof open>>, bytes: number): Promise<boolean> {
  try {
    return (await file.write(Buffer.alloc(bytes))).bytesWritten > 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}
