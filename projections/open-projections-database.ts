// The connections that projectors write by. What one of them locks, a successor waits for, so a projector that was frozen or cut off in
// the middle of a chunk must not keep its locks: the server rolls its transaction back, and when it wakes up it is fenced.
import type { Logger } from '../platform/logger.ts';
import { type Database, openDatabase } from '../platform/postgres.ts';

/** Two write and one loads while a newer version is being made beside the live one; three are for the bookkeeping of all. */
const POOL_MAX = 6;
/** Four lanes that fold, and those that hold the snapshots and the build. */
const VERIFYING_POOL_MAX = 10;
const STATEMENT_MS = 30_000;
const VERIFYING_MS = 60 * 60_000;
/** A projector's statements follow each other within milliseconds, but for a pause of its process. */
const STAND_STILL_MS = 5_000;
/** Shorter than that, so that whoever waits says so in /ready and notices when the partition is taken from it. */
const LOCK_WAIT_MS = 2_000;

/** Opens no connection yet. The caller closes it. */
export function openProjectionsDatabase(
  url: string,
  logger: Logger,
  applicationName = 'roomlog projections',
): Database {
  const locks = { standStillMs: STAND_STILL_MS, waitMs: LOCK_WAIT_MS };
  return openDatabase({ url, poolMax: POOL_MAX, applicationName, statementTimeoutMs: STATEMENT_MS, locks }, logger);
}

/** For comparing a whole version with the log: apart from those that projectors write by, and it may take its time. */
export function openVerifyingDatabase(url: string, logger: Logger): Database {
  const applicationName = 'roomlog verification';
  return openDatabase({ url, poolMax: VERIFYING_POOL_MAX, applicationName, statementTimeoutMs: VERIFYING_MS }, logger);
}
