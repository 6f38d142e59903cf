// Where the servers of a run keep what they have. Each folder says whose it is, so that the next run can remove what a killed one left:
// its disks too, which nobody would unmount. Histories and logs lie elsewhere, and stay.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readIdentity } from '../../../ops/stack/stack-server.ts';
import { identityOf, isRunning } from '../../../platform/process-identity.ts';
import { unmount } from './small-disk.ts';

const PREFIX = 'roomlog-faults-data-';
const OWNER_FILE = 'owner.json';

/** Makes one in `root` that is this process's, after it has removed those of processes that are gone. */
export async function makeDataFolder(root: string, onProgress: (line: string) => void): Promise<string> {
  for (const dir of await abandoned(root)) {
    onProgress(`removing ${dir}: its run is gone`);
    await removeDataFolder(dir);
  }
  const dir = await mkdtemp(join(root, PREFIX));
  await writeFile(join(dir, OWNER_FILE), JSON.stringify(await identityOf(process.pid)));
  return dir;
}

/** Unmounts what is mounted in it first. */
export async function removeDataFolder(dir: string): Promise<void> {
  for (const place of await mountsIn(dir)) await unmount(place);
  await rm(dir, { recursive: true, force: true });
}

/** One that does not say whose it is is being made at this moment. */
async function abandoned(root: string): Promise<string[]> {
  const dirs: string[] = [];
  for (const name of await readdir(root)) {
    if (!name.startsWith(PREFIX)) continue;
    const owner = await readIdentity(join(root, name, OWNER_FILE));
    if (owner !== undefined && !(await isRunning(owner))) dirs.push(join(root, name));
  }
  return dirs;
}

async function mountsIn(dir: string): Promise<string[]> {
  const mounts = await readFile('/proc/mounts', 'utf8').catch(() => '');
  const places = mounts.split('\n').flatMap((line) => line.split(' ')[1] ?? []);
  return places.filter((place) => place.startsWith(`${dir}/`));
}
