// Work that can wait gives way to what is live on the server's side, too: where PostgreSQL runs on this machine, its processes that work
// for this one get a lower priority. Where it does not, or we may not, they keep the one they have.
import { readFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import type { OpenedConnection } from '../../platform/postgres.ts';

const NICENESS = 10;

/** Says whether it did. It is that connection's process for sure: its title names the port that the connection comes from. */
export async function lowerBackend({ processID, connection }: OpenedConnection): Promise<boolean> {
  const port = connection.stream.localPort;
  const title = await readFile(`/proc/${processID}/cmdline`, 'utf8').catch(() => '');
  if (port === undefined || !title.startsWith('postgres: ') || !title.includes(`(${port})`)) return false;
  try {
    setPriority(processID, NICENESS);
    return true;
  } catch {
    // Only its own user and root may.
    return false;
  }
}
