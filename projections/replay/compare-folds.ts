// What two versions of the code make of the beginning of the log: both are folded into scratch builds and compared.
import { keyOfBuild, schemaOfBuild } from './builds.ts';
import { compareBuilds } from './compare-builds.ts';
import { type FoldDeps, foldInto } from './fold-into.ts';
import { inSnapshot, type OffsetVector } from './live-vector.ts';
import type { ReplayedProjection } from './replayed-projection.ts';
import { withScratchBuild } from './scratch-build.ts';
import { LANES, type Verification, type VerifyOptions } from './verify-live.ts';

/**
 * As verifyLive, but the live tables are not looked at: `live` is the code that they were made with. `to` is up to where both fold.
 */
export async function compareFolds(
  deps: FoldDeps,
  { live, fresh, purpose, way, bounds, onBegin, onChunk, signal, to }: VerifyOptions & { to: OffsetVector },
): Promise<Verification | null> {
  const begunMs = performance.now();
  let events = 0;
  const fold = (projection: ReplayedProjection, build: number): Promise<boolean> =>
    foldInto(deps, {
      projection,
      build,
      way,
      to,
      lanes: LANES,
      onChunk: (chunk) => {
        // Each side has the same records.
        if (projection !== fresh) return;
        events += chunk.events;
        onChunk?.(chunk);
      },
      signal,
    });
  return withScratchBuild(deps, live, { purpose, fill: way }, (left) =>
    withScratchBuild(deps, fresh, { purpose, fill: way }, async (right) => {
      onBegin?.(to);
      if (!(await fold(live, left)) || !(await fold(fresh, right))) return null;
      const foldMs = performance.now() - begunMs;
      return inSnapshot(deps.db, async (leftTx) =>
        inSnapshot(deps.db, async (rightTx) => {
          const compared = await compareBuilds(
            live.bookkeepingSchema,
            { tx: leftTx, schema: schemaOfBuild(live, left), key: keyOfBuild(live, left) },
            { tx: rightTx, schema: schemaOfBuild(fresh, right), key: keyOfBuild(fresh, right) },
            bounds,
          );
          const compareMs = performance.now() - begunMs - foldMs;
          return { vector: to, events, ...compared, foldMs, compareMs };
        }),
      );
    }),
  );
}
