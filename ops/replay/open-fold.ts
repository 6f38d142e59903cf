// What verbs that fold the log need, and the projections that they may name.
import { systemClock } from '../../platform/clock.ts';
import { decodeWith } from '../../projections/decode-records.ts';
import { HISTORY_PROJECTION } from '../../projections/history/tables.ts';
import type { FoldDeps } from '../../projections/replay/fold-into.ts';
import { type ReplayedProjection, replayedHistory } from '../../projections/replay/replayed-projection.ts';
import { UsageError } from './exits.ts';
import type { Resources } from './open-resources.ts';

/** Throws UnreachableServerError, LogUnavailableError, LogSettingsError or SchemaSourceError. */
export async function openFold(resources: Resources): Promise<FoldDeps> {
  const [db, { log, codec }] = [await resources.db(), await resources.eventLog()];
  const { logger, config } = resources;
  return { db, log, decode: decodeWith(codec), clock: systemClock, logger, maxParkedStreams: config.maxParkedStreams };
}

/** Throws UsageError. */
export function projectionNamed(name: string): ReplayedProjection {
  if (name === HISTORY_PROJECTION.name) return replayedHistory();
  throw new UsageError(`there is no projection "${name}": ${HISTORY_PROJECTION.name} is the one in tables`);
}
