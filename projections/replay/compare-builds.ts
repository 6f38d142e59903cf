// Compares two sets of tables of a projection, the live ones or a build's: their rows, and what is parked beside them.
import { bookkeepingTables } from '../history/tables.ts';
import { compareParked, type ParkedComparison, type ParkedSide } from './compare-parked.ts';
import type { Side } from './compare-rows.ts';
import { type CompareBounds, type Comparison, compareTables } from './compare-tables.ts';

export type BuildSide = Side & Pick<ParkedSide, 'key'>;
export type BuildsComparison = { comparison: Comparison; parked: ParkedComparison };

/** As compareTables; each side in the snapshot of its own transaction. */
export async function compareBuilds(
  bookkeepingSchema: string,
  left: BuildSide,
  right: BuildSide,
  bounds?: CompareBounds,
): Promise<BuildsComparison> {
  const comparison = await compareTables(left, right, bounds);
  const parked = await compareParked(bookkeepingTables(bookkeepingSchema), left, right);
  return { comparison, parked };
}
