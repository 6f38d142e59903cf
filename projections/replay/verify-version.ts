// Proves a version of the history before it takes over: its tables are compared with what the log says.
import { BOOKKEEPING_SCHEMA, historyKeyOf, historySchemaOf } from '../history/tables.ts';
import type { HistoryVersion } from '../history/versions.ts';
import type { FoldDeps } from './fold-into.ts';
import type { ReplayedProjection } from './replayed-projection.ts';
import { verifyLive } from './verify-live.ts';

/**
 * Whether the version's tables are what a fresh fold makes of the log up to where they are; null when the signal ended it. Throws what
 * verifyLive throws.
 */
export async function verifyVersion(
  deps: FoldDeps,
  { version, tablesFile, createProjection }: HistoryVersion,
  signal: AbortSignal,
): Promise<boolean | null> {
  const projection: ReplayedProjection = {
    ...historyKeyOf(version),
    schema: historySchemaOf(version),
    bookkeepingSchema: BOOKKEEPING_SCHEMA,
    tablesFile,
    // Only COPY asks for them, and not every version has a way to write by COPY.
    growingTables: [],
    into: (schema) => createProjection(schema),
  };
  const verification = await verifyLive(deps, {
    live: projection,
    fresh: projection,
    purpose: 'verify',
    way: 'rows',
    signal,
  });
  if (verification === null) return null;
  return verification.comparison.isEqual && verification.parked.differences.length === 0;
}
