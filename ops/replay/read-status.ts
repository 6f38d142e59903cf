// How things are: the log, what is projected from it, the hot cache, and the builds. Each server is asked by itself, so that what is
// away hides only itself.
import type { EventLog } from '../../event-log/event-log.ts';
import type { Database } from '../../platform/postgres.ts';
import { isRetryable } from '../../platform/retryable.ts';
import { queryRows } from '../../platform/sql.ts';
import { BOOKKEEPING_SCHEMA, bookkeepingTables } from '../../projections/history/tables.ts';
import type { JobProgress, Worker } from '../../projections/replay/job-row.ts';
import type { Resources } from './open-resources.ts';

/** How far one partition is. What is not known, because a server is away, is null. */
export type PartitionStatus = {
  partition: number;
  checkpoint: number;
  head: number | null;
  lagEvents: number | null;
  /** Seconds since the oldest record was appended that is not projected yet; 0 where there is none. */
  lagSeconds: number | null;
};

export type ProjectionStatus = {
  projection: string;
  version: number;
  partitions: PartitionStatus[];
  parkedStreams: number;
  discardedRecords: number;
};

export type BuildStatus = {
  projection: string;
  build: number;
  version: number;
  purpose: string;
  state: string;
  since: string;
  /** What somebody asks of its job: to run, to pause, to end. */
  wanted: string;
  /** Null unless it is a job's: who works at it, or did last. */
  worker: Worker | null;
  progress: JobProgress | null;
};

export type Status = {
  projections: ProjectionStatus[];
  builds: BuildStatus[];
  /** Null where there is no Redis: a cache in memory is the business of its process. */
  cache: PartitionStatus[] | null;
  /** Servers that could not be asked, and why. */
  away: { server: string; reason: string }[];
};

type Checkpoints = Pick<ProjectionStatus, 'projection' | 'version' | 'parkedStreams' | 'discardedRecords'> & {
  checkpoints: Map<number, number>;
};

/** Never rejects because a server is away. */
export async function readStatus(resources: Resources, now: number): Promise<Status> {
  const away: Status['away'] = [];
  const orAway = async <Value>(server: string, ask: () => Promise<Value>): Promise<Value | null> => {
    try {
      return await ask();
    } catch (error) {
      if (!isRetryable(error)) throw error;
      away.push({ server, reason: reasonOf(error) });
      return null;
    }
  };
  const [tables, log, cache] = await Promise.all([
    orAway('PostgreSQL', async () => readTables(await resources.db())),
    orAway('the log', async () => (await resources.eventLog()).log),
    orAway('Redis', () => resources.cache()),
  ]);
  const partitions = partitionsOf(log, tables?.projections ?? []);
  const positions = cache === null ? null : await orAway('Redis', () => cache.positions(partitions));
  const look = await orAway('the log', async () => new LogLook(log, await headsOf(log), now));
  const stand = async (checkpoints: Map<number, number>): Promise<PartitionStatus[]> =>
    (await orAway('the log', () => (look ?? NO_LOG).stand(checkpoints))) ?? NO_LOG.stand(checkpoints);
  const projections: ProjectionStatus[] = [];
  for (const { checkpoints, ...projection } of tables?.projections ?? []) {
    projections.push({ ...projection, partitions: await stand(checkpoints) });
  }
  return {
    projections,
    builds: tables?.builds ?? [],
    cache: positions === null ? null : await stand(positions),
    away: withoutFollowers(away),
  };
}

/** What the log says of checkpoints. */
class LogLook {
  readonly #log: EventLog | null;
  readonly #heads: ReadonlyMap<number, number>;
  readonly #now: number;

  constructor(log: EventLog | null, heads: ReadonlyMap<number, number>, now: number) {
    this.#log = log;
    this.#heads = heads;
    this.#now = now;
  }

  stand(checkpoints: ReadonlyMap<number, number>): Promise<PartitionStatus[]> {
    const sorted = [...checkpoints].sort(([left], [right]) => left - right);
    return Promise.all(sorted.map(([partition, checkpoint]) => this.#standOf(partition, checkpoint)));
  }

  async #standOf(partition: number, checkpoint: number): Promise<PartitionStatus> {
    const head = this.#heads.get(partition) ?? null;
    if (head === null || this.#log === null) {
      return { partition, checkpoint, head, lagEvents: null, lagSeconds: null };
    }
    const lagEvents = Math.max(0, head - checkpoint);
    const oldest = lagEvents === 0 ? null : await firstAppendedAt(this.#log, partition, checkpoint, head);
    const lagSeconds = oldest === null ? 0 : Math.max(0, (this.#now - oldest) / 1_000);
    return { partition, checkpoint, head, lagEvents, lagSeconds };
  }
}

const NO_LOG = new LogLook(null, new Map(), 0);

/** When the first record that counts was appended in that range; null where none does. */
async function firstAppendedAt(log: EventLog, partition: number, from: number, to: number): Promise<number | null> {
  for await (const { records } of log.read(partition, from, to)) {
    const [first] = records;
    if (first !== undefined) return first.appendedAt;
  }
  return null;
}

async function headsOf(log: EventLog | null): Promise<Map<number, number>> {
  if (log === null) return new Map();
  const partitions = Array.from({ length: log.partitions }, (_, partition) => partition);
  return new Map(await Promise.all(partitions.map(async (at) => [at, await log.head(at)] as const)));
}

function partitionsOf(log: EventLog | null, projections: readonly Checkpoints[]): number[] {
  if (log !== null) return Array.from({ length: log.partitions }, (_, partition) => partition);
  return [...new Set(projections.flatMap(({ checkpoints }) => [...checkpoints.keys()]))];
}

/** Empty where nothing was ever projected into this database. */
async function readTables(db: Database): Promise<{ projections: Checkpoints[]; builds: BuildStatus[] }> {
  const tables = bookkeepingTables(BOOKKEEPING_SCHEMA);
  const has = async (table: string): Promise<boolean> => {
    const [found] = await queryRows<{ name: string | null }>(db, 'select to_regclass(?) as name', [table]);
    return found !== undefined && found.name !== null;
  };
  if (!(await has(tables.checkpoints))) return { projections: [], builds: [] };
  const rows = await queryRows<{ projection: string; version: number; partition: number; next_offset: string }>(
    db,
    // Of builds, which are listed by themselves, the names have a number.
    `select projection, version, partition, next_offset from ${tables.checkpoints}
      where projection not like '%#%' order by projection, version, partition`,
    [],
  );
  const parked = await countByProjection(db, tables.parkedStreams);
  const discarded = (await has(tables.discardedRecords))
    ? await countByProjection(db, tables.discardedRecords)
    : new Map<string, number>();
  const byKey = new Map<string, Checkpoints>();
  for (const { projection, version, partition, next_offset } of rows) {
    const key = `${projection} ${version}`;
    const counts = { parkedStreams: parked.get(key) ?? 0, discardedRecords: discarded.get(key) ?? 0 };
    const known = byKey.get(key) ?? { projection, version, ...counts, checkpoints: new Map() };
    byKey.set(key, known);
    known.checkpoints.set(partition, Number(next_offset));
  }
  return {
    projections: [...byKey.values()],
    builds: (await has(tables.builds)) ? await selectBuilds(db, tables.builds) : [],
  };
}

async function countByProjection(db: Database, table: string): Promise<Map<string, number>> {
  const rows = await queryRows<{ projection: string; version: number; count: number }>(
    db,
    `select projection, version, count(*)::integer as count from ${table} group by projection, version`,
    [],
  );
  return new Map(rows.map(({ projection, version, count }) => [`${projection} ${version}`, count]));
}

async function selectBuilds(db: Database, table: string): Promise<BuildStatus[]> {
  const rows = await queryRows<Omit<BuildStatus, 'since'> & { state_at_ms: string }>(
    db,
    `select projection, build, version, purpose, state, state_at_ms, wanted, worker, progress
       from ${table} order by projection, build`,
    [],
  );
  return rows.map(({ state_at_ms, ...build }) => ({ ...build, since: new Date(Number(state_at_ms)).toISOString() }));
}

/** A log that lies in PostgreSQL is away with it, and is asked several times: one line each is enough. */
function withoutFollowers(away: Status['away']): Status['away'] {
  return away.filter(
    ({ server, reason }, at) =>
      !away.slice(0, at).some((earlier) => earlier.server === server || earlier.reason === reason),
  );
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
