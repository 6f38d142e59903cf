// What `rebuild` may be asked to build: which version, and from where in the log.
import type { EventLog } from '../../event-log/event-log.ts';
import type { ReplayedProjection } from '../../projections/replay/replayed-projection.ts';
import { RefusedError, UsageError } from './exits.ts';

/** Throws UsageError. */
export function requireVersion({ name, version }: ReplayedProjection, wanted: number | undefined): void {
  if (wanted === undefined || wanted === version) return;
  throw new UsageError(`there is no version ${wanted} of ${name} in this code: it knows version ${version}`);
}

/**
 * The history of a room begins with its creation: folded from the middle of the log it would be a state that never was. So `from` may
 * only name the beginning. Throws RefusedError, or UsageError where it is neither an offset nor a time, or lies outside of the log.
 */
export async function requireBeginning(log: EventLog, from: string): Promise<void> {
  const partitions = Array.from({ length: log.partitions }, (_, partition) => partition);
  const heads = await Promise.all(partitions.map((partition) => log.head(partition)));
  const offsets = await offsetsAt(log, partitions, from);
  if (offsets.every((offset) => offset === 0)) return;
  if (offsets.every((offset, partition) => offset >= (heads[partition] ?? 0))) {
    throw new UsageError(`${from} lies behind the end of the log`);
  }
  throw new RefusedError(
    `a history folded from ${from} on would be a state that never was: rooms that began before have no beginning there. ` +
      'Leave --from out to rebuild all, or repair single rooms',
  );
}

async function offsetsAt(log: EventLog, partitions: readonly number[], from: string): Promise<number[]> {
  if (/^\d{1,15}$/.test(from)) return partitions.map(() => Number(from));
  const timeMs = Date.parse(from);
  if (!/^\d{4}-\d\d-\d\d/.test(from) || Number.isNaN(timeMs)) {
    throw new UsageError(`"${from}" is neither an offset nor a time such as 2026-11-25T12:00:00Z`);
  }
  return Promise.all(partitions.map((partition) => log.offsetAt(partition, timeMs)));
}
