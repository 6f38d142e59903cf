// Proves a build equal to the live tables before it takes their place, or finds out which of the two is wrong.
import { setTimeout as delay } from 'node:timers/promises';
import { keyOfBuild, schemaOfBuild } from './builds.ts';
import { type BuildSide, type BuildsComparison, compareBuilds } from './compare-builds.ts';
import { lackOf, vectorOf } from './flip.ts';
import { type FoldDeps, foldInto } from './fold-into.ts';
import { inSnapshot, type OffsetVector, withLiveSnapshot } from './live-vector.ts';
import type { ReplayedProjection } from './replayed-projection.ts';
import { withScratchBuild } from './scratch-build.ts';

/** Left: live, or the second fold. Right: the build. */
export type BuildComparison = BuildsComparison & { vector: OffsetVector };
/**
 * `equal`: to the live tables. `healed`: the live tables differ, and a second fold, by the statements of the live path, is equal to the
 * build: so it is the live ones that are not what the log says. `differs`: the build is not what the second fold makes either.
 */
export type BuildVerdict =
  | { kind: 'equal' | 'healed'; live: BuildComparison }
  | { kind: 'differs'; live: BuildComparison; second: BuildComparison };

/** The live projection does not come to where the build is, so the two cannot be compared. */
class LiveBehindError extends Error {
  override readonly name = 'LiveBehindError';
  readonly code = 'live_behind';
  readonly retryable = false;
}

const LANES = 4;
const LOOK_MS = 50;
/** Milliseconds for which the live projection may stand still while it is behind the build. */
const PATIENCE_MS = 30_000;

/** Null when the signal ended it. Folds the build up to where the live tables are, and changes nothing else. Throws LiveBehindError. */
export async function verifyBuild(
  deps: FoldDeps,
  projection: ReplayedProjection,
  build: number,
  signal: AbortSignal,
): Promise<BuildVerdict | null> {
  if (!(await waitForLive(deps, projection, build, signal))) return null;
  const fold = (number: number, to: OffsetVector): Promise<boolean> =>
    foldInto(deps, { projection, build: number, way: 'rows', to, lanes: LANES, signal });
  const live = await withLiveSnapshot(deps.db, projection, async (tx, vector) => {
    if (!(await fold(build, vector))) return null;
    return compareWith(deps, projection, build, vector, { tx, schema: projection.schema, key: projection });
  });
  if (live === null) return null;
  if (isEqual(live)) return { kind: 'equal', live };
  return withScratchBuild(deps, projection, { purpose: 'verify', fill: 'rows' }, async (scratch) => {
    if (!(await fold(scratch, live.vector))) return null;
    const schema = schemaOfBuild(projection, scratch);
    const second = await inSnapshot(deps.db, (tx) => {
      return compareWith(deps, projection, build, live.vector, { tx, schema, key: keyOfBuild(projection, scratch) });
    });
    return isEqual(second) ? { kind: 'healed', live } : { kind: 'differs', live, second };
  });
}

function isEqual({ comparison, parked }: BuildComparison): boolean {
  return comparison.isEqual && parked.differences.length === 0;
}

async function compareWith(
  { db }: FoldDeps,
  projection: ReplayedProjection,
  build: number,
  vector: OffsetVector,
  left: BuildSide,
): Promise<BuildComparison> {
  // A transaction of its own: the snapshot of the live tables does not see what was folded after it.
  return inSnapshot(db, async (tx) => {
    const right = { tx, schema: schemaOfBuild(projection, build), key: keyOfBuild(projection, build) };
    return { vector, ...(await compareBuilds(projection.bookkeepingSchema, left, right)) };
  });
}

/** The build may be ahead by what the live projection had not got when the build caught up with the log. */
async function waitForLive(
  { db }: FoldDeps,
  projection: ReplayedProjection,
  build: number,
  signal: AbortSignal,
): Promise<boolean> {
  const wanted = await vectorOf(db, projection, keyOfBuild(projection, build));
  let [lackBefore, since] = [Number.POSITIVE_INFINITY, performance.now()];
  while (!signal.aborted) {
    const lack = lackOf(await vectorOf(db, projection, projection), wanted);
    if (lack === 0) return true;
    if (lack < lackBefore) [lackBefore, since] = [lack, performance.now()];
    if (performance.now() - since > PATIENCE_MS) {
      throw new LiveBehindError(
        `the live ${projection.name} stands still ${lack} events behind the build, so the two cannot be compared: ` +
          'let the projections run, or flip without verifying',
      );
    }
    // Being woken up by the signal is the only way in which this timer rejects.
    await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
  }
  return false;
}
