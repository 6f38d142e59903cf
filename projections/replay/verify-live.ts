// Proves that the live tables are what the log says, or tells what differs: the log is folded anew, up to exactly where the live tables
// are in a snapshot of them, and the two are compared. Left is live, right is what the log says.
import { buildIndexes } from './build-indexes.ts';
import { keyOfBuild, schemaOfBuild } from './builds.ts';
import { type BuildsComparison, compareBuilds } from './compare-builds.ts';
import type { CompareBounds } from './compare-tables.ts';
import { type FoldDeps, type FoldOptions, foldInto } from './fold-into.ts';
import {
  ExchangedMeanwhileError,
  inSnapshot,
  loadLiveVector,
  type OffsetVector,
  withLiveSnapshot,
} from './live-vector.ts';
import type { ReplayedProjection, WritingWay } from './replayed-projection.ts';
import { withScratchBuild } from './scratch-build.ts';

export type Verification = BuildsComparison & {
  /** Up to where both sides have the log. */
  vector: OffsetVector;
  /** Records that were folded for it. */
  events: number;
  foldMs: number;
  compareMs: number;
};

export type VerifyOptions = {
  live: ReplayedProjection;
  /** What the log is folded with: the same projection, or what another version of the code makes of it. */
  fresh: ReplayedProjection;
  purpose: 'verify' | 'diff';
  way: WritingWay;
  bounds?: CompareBounds;
  /** Told before folding begins, up to where that will be. */
  onBegin?: (vector: OffsetVector) => void;
  onChunk?: FoldOptions['onChunk'];
  signal: AbortSignal;
};

/** Partitions folded at once: more gain nothing on the few cores that PostgreSQL and the fold share. */
export const LANES = 4;

/**
 * Resolves with null when the signal ended it. Writes to a scratch build alone, which it drops. Throws NothingProjectedError,
 * ExchangedMeanwhileError, or what folding and PostgreSQL throw.
 */
export async function verifyLive(deps: FoldDeps, options: VerifyOptions): Promise<Verification | null> {
  const { live, fresh, purpose, way, bounds, signal } = options;
  const first = await loadLiveVector(deps.db, live);
  return withScratchBuild(deps, fresh, { purpose, fill: way }, async (build) => {
    const begunMs = performance.now();
    let events = 0;
    const fold = async (vector: OffsetVector, by: WritingWay): Promise<boolean> =>
      foldInto(deps, {
        projection: fresh,
        build,
        way: by,
        to: vector,
        lanes: LANES,
        onChunk: (chunk) => {
          events += chunk.events;
          options.onChunk?.(chunk);
        },
        signal,
      });
    options.onBegin?.(first);
    // Nearly everything without a snapshot: one that is held for long keeps PostgreSQL from clearing up behind the live projector.
    if (!(await fold(first, way))) return null;
    const schema = schemaOfBuild(fresh, build);
    if (way === 'copy') await buildIndexes(deps.db, fresh, schema);
    return withLiveSnapshot(deps.db, live, async (tx, vector) => {
      if ([...first].some(([partition, offset]) => offset > (vector.get(partition) ?? 0))) {
        throw new ExchangedMeanwhileError(`the live tables of ${live.name} went back meanwhile: run it again`);
      }
      if (!(await fold(vector, 'rows'))) return null;
      const foldMs = performance.now() - begunMs;
      // A transaction of its own: the snapshot does not see what was folded after it.
      return inSnapshot(deps.db, async (freshTx) => {
        const compared = await compareBuilds(
          live.bookkeepingSchema,
          { tx, schema: live.schema, key: live },
          { tx: freshTx, schema, key: keyOfBuild(fresh, build) },
          bounds,
        );
        const compareMs = performance.now() - begunMs - foldMs;
        return { vector, events, ...compared, foldMs, compareMs };
      });
    });
  });
}
