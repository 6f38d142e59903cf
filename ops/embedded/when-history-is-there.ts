// Waits until the history projection has made its tables, which on the first start takes it a moment. Readers would try again by
// themselves, but slowly and with a warning, because in a cluster it could take long.
import { setTimeout as delay } from 'node:timers/promises';
import type { Queries } from '../../read-api/queries/queries.ts';

const LOOK_AGAIN_MS = 20;
const TIMEOUT_MS = 10_000;

/** Resolves when history can be read, or after 10 s: then the readers find out, and say, what is wrong. */
export async function whenHistoryIsThere(queries: Queries): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  while (performance.now() < deadline) {
    try {
      await queries.checkpoints();
      return;
    } catch {
      // Not there yet, or not at all: looked at again until the deadline, after which the first reader reports it.
      await delay(LOOK_AGAIN_MS);
    }
  }
}
