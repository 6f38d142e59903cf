// How far behind the log an answer is. What it has is read with the answer or before it: checkpoints only grow, so an answer has
// at least that. What was acknowledged is as far as this process has heard (platform/written-positions.ts).
import { positionOf } from '../schemas/commands.ts';

export type Standing = {
  /** By partition that the answer is about: it has everything below this offset. */
  nextOffsets: ReadonlyMap<number, number>;
  /** By partition: the last offset known to be acknowledged. */
  written: ReadonlyMap<number, number>;
};

/** Beyond it an answer about all partitions names no positions, for a header of many kilobytes is refused by proxies. */
const MAX_POSITIONS = 256;

/** What x-position says; null where there is nothing to say. */
export function toPositions({ nextOffsets }: Standing): string | null {
  const begun = [...nextOffsets].filter(([, nextOffset]) => nextOffset > 0).sort(([left], [right]) => left - right);
  if (begun.length === 0 || begun.length > MAX_POSITIONS) return null;
  return begun.map(([partition, nextOffset]) => positionOf(partition, nextOffset - 1)).join(',');
}

/** What x-lag-events says: of all the partitions together. Null where nothing is known of any. */
export function toLagEvents({ nextOffsets, written }: Standing): number | null {
  const lags = [...nextOffsets].flatMap(([partition, nextOffset]) => {
    const last = written.get(partition);
    return last === undefined ? [] : [Math.max(0, last + 1 - nextOffset)];
  });
  return lags.length === 0 ? null : lags.reduce((sum, lag) => sum + lag, 0);
}
