// Scratch builds: tables that one run of a tool fills, looks at and drops. They are dropped also where the run fails; where its process
// is killed, the next run finds them and drops them.
import type { Knex } from 'knex';
import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/postgres.ts';
import { queryRows } from '../../platform/sql.ts';
import { type BuildPurpose, createBuild, dropBuild, listBuilds } from './builds.ts';
import type { ReplayedProjection } from './replayed-projection.ts';

export type ScratchOptions = { purpose: Extract<BuildPurpose, 'verify' | 'repair' | 'diff'>; fill: 'copy' | 'rows' };

/** Advisory locks with two keys; nobody else in the product uses that kind. The second key is the build's number, 0 for the door. */
const LOCK_CLASS = 7_203_912;
const DOOR = 0;

/** Makes a scratch build for as long as `work` takes, and says its number. Scratch builds that a dead process left behind go first. */
export async function withScratchBuild<Result>(
  { db, clock }: { db: Database; clock: Clock },
  projection: ReplayedProjection,
  options: ScratchOptions,
  work: (build: number) => Promise<Result>,
): Promise<Result> {
  const { number, inUse } = await openScratch(db, clock, projection, options);
  try {
    return await work(number);
  } finally {
    await dropBuild(db, projection, number).finally(() => inUse.rollback());
  }
}

/**
 * That a build is in use shows in a lock which the server takes back when the process is gone. One at a time makes a build and takes
 * its lock, or looks for builds that nobody holds: else a build just made would look like one left behind.
 */
async function openScratch(
  db: Database,
  clock: Clock,
  projection: ReplayedProjection,
  options: ScratchOptions,
): Promise<{ number: number; inUse: Knex.Transaction }> {
  return db.transaction(async (door) => {
    await door.raw('select pg_advisory_xact_lock(?::integer, ?::integer)', [LOCK_CLASS, DOOR]);
    const { number } = await createBuild(db, projection, { ...options, atMs: clock.now() });
    // A transaction that has done nothing but take a lock holds back neither vacuum nor anybody.
    const inUse = await db.transaction();
    try {
      await inUse.raw('select pg_advisory_xact_lock(?::integer, ?::integer)', [LOCK_CLASS, number]);
      await dropLeftBehind(db, projection, number);
    } catch (error) {
      await inUse.rollback();
      throw error;
    }
    return { number, inUse };
  });
}

async function dropLeftBehind(db: Database, projection: ReplayedProjection, except: number): Promise<void> {
  for (const { number, state } of await listBuilds(db, projection)) {
    if (state === 'scratch' && number !== except && !(await isInUse(db, number))) {
      await dropBuild(db, projection, number);
    }
  }
}

async function isInUse(db: Database, number: number): Promise<boolean> {
  const held = await queryRows(
    db,
    `select 1 from pg_locks
      where locktype = 'advisory' and classid = ?::integer::oid and objid = ?::integer::oid and objsubid = 2
        and database = (select oid from pg_database where datname = current_database())`,
    [LOCK_CLASS, number],
  );
  return held.length > 0;
}
