// Makes one room's rows anew from the log while everything else goes on: the room's events are folded into a scratch build, and its
// rows change places with the live ones in one transaction.
//
// That transaction holds the lock of the live checkpoint of the room's partition, which keeps the live projector out for a moment; the
// scratch build is folded on to exactly that checkpoint meanwhile. So no event is lost between the two, and none counts twice.
import type { Knex } from 'knex';
import { partitionOf } from '../../event-log/partition-of.ts';
import { changeRows, queryRows } from '../../platform/sql.ts';
import { streamOfRoom } from '../../schemas/commands.ts';
import type { ProjectionKey } from '../checkpoints.ts';
import { bookkeepingTables } from '../history/tables.ts';
import { keyOfBuild, schemaOfBuild } from './builds.ts';
import { compareParked, type ParkedComparison } from './compare-parked.ts';
import { compareRows, quoteName, type RowCounts, type RowDifference } from './compare-rows.ts';
import { type FoldDeps, type FoldOptions, foldInto } from './fold-into.ts';
import { ExchangedMeanwhileError, loadLiveVector } from './live-vector.ts';
import type { ReplayedProjection } from './replayed-projection.ts';
import { withScratchBuild } from './scratch-build.ts';
import { loadTableShapes, sharedShape, type TableShape } from './table-shapes.ts';

export type Repair = {
  partition: number;
  /** The live checkpoint of the partition at which the rows were exchanged. */
  offset: number;
  /** The tables in which rows differed and were put right. Left: as they were. Right: by the log. */
  tables: ({ table: string; examples: RowDifference[] } & RowCounts)[];
  /** What was parked of the room's stream and is not, or the other way round. */
  parked: ParkedComparison['differences'];
};

export type RepairOptions = {
  live: ReplayedProjection;
  roomId: string;
  /** Told before folding begins, up to where that will be. */
  onBegin?: (vector: ReadonlyMap<number, number>) => void;
  onChunk?: FoldOptions['onChunk'];
  signal: AbortSignal;
};

/** Neither the log nor the tables have a room of that id. */
export class UnknownRoomError extends Error {
  override readonly name = 'UnknownRoomError';
  readonly code = 'unknown_room';
  readonly retryable = false;
}

/** The live projector moves on faster than the room can be folded. */
class TooFastToRepairError extends Error {
  override readonly name = 'TooFastToRepairError';
  readonly code = 'too_fast_to_repair';
  readonly retryable = false;
}

/** Milliseconds for which the live projector may be held up by folding on to its checkpoint. */
const HOLD_UP_MS = 2_000;
const ATTEMPTS = 10;
const MAX_EXAMPLES = 5;

/**
 * Resolves with what was put right, which is nothing where the room's rows were right; with null when the signal ended it. Throws
 * UnknownRoomError, TooFastToRepairError, ExchangedMeanwhileError, NothingProjectedError, or what folding and PostgreSQL throw;
 * nothing has changed then.
 */
export async function repairRoom(deps: FoldDeps, options: RepairOptions): Promise<Repair | null> {
  const { live, roomId, signal } = options;
  const partition = partitionOf(streamOfRoom(roomId), deps.log.partitions);
  const first = (await loadLiveVector(deps.db, live)).get(partition) ?? 0;
  return withScratchBuild(deps, live, { purpose: 'repair', fill: 'rows' }, async (build) => {
    options.onBegin?.(new Map([[partition, first]]));
    const scratch = { build, partition, roomId, live };
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const from = await liveOffset(deps.db, scratch, false);
      if (!(await foldOn(deps, options, scratch, from, signal))) return null;
      const repair = await exchange(deps, options, scratch);
      if (repair !== 'too far behind') return repair;
    }
    throw new TooFastToRepairError(
      `the live projector of partition ${partition} moves on faster than the room is folded`,
    );
  });
}

type Scratch = { build: number; partition: number; roomId: string; live: ReplayedProjection };

function foldOn(
  deps: FoldDeps,
  { onChunk }: RepairOptions,
  { build, partition, roomId, live }: Scratch,
  to: number,
  signal: AbortSignal,
): Promise<boolean> {
  return foldInto(deps, {
    projection: live,
    build,
    way: 'rows',
    to: new Map([[partition, to]]),
    lanes: 1,
    rooms: new Set([roomId]),
    ...(onChunk === undefined ? {} : { onChunk }),
    signal,
  });
}

function exchange(deps: FoldDeps, options: RepairOptions, scratch: Scratch): Promise<Repair | null | 'too far behind'> {
  return deps.db.transaction(async (tx) => {
    const offset = await liveOffset(tx, scratch, true);
    const inTime = AbortSignal.timeout(HOLD_UP_MS);
    const isThere = await foldOn(deps, options, scratch, offset, AbortSignal.any([options.signal, inTime]));
    if (options.signal.aborted) return null;
    if (!isThere) return 'too far behind';
    const shapes = [...(await loadTableShapes(tx, schemaOfBuild(scratch.live, scratch.build))).values()];
    if (!(await isKnown(tx, scratch, shapes))) {
      throw new UnknownRoomError(`there is no room "${scratch.roomId}": neither the log nor the tables have it`);
    }
    const tables = await exchangeRows(tx, scratch, shapes);
    const parked = await exchangeParked(tx, scratch);
    return { partition: scratch.partition, offset, tables, parked };
  });
}

/** With the lock nobody else moves it until the transaction ends. Throws ExchangedMeanwhileError. */
async function liveOffset(tx: Knex, { live, partition }: Scratch, withLock: boolean): Promise<number> {
  const { checkpoints } = bookkeepingTables(live.bookkeepingSchema);
  const [row] = await queryRows<{ next_offset: string }>(
    tx,
    `select next_offset from ${checkpoints} where projection = ? and version = ? and partition = ?
     ${withLock ? 'for update' : ''}`,
    [live.name, live.version, partition],
  );
  if (row !== undefined) return Number(row.next_offset);
  throw new ExchangedMeanwhileError(`the live tables of ${live.name} were exchanged meanwhile: run it again`);
}

async function isKnown(tx: Knex, { live, build, roomId }: Scratch, shapes: readonly TableShape[]): Promise<boolean> {
  const schemas = [live.schema, schemaOfBuild(live, build)];
  const tables = schemas.flatMap((schema) => shapes.map(({ table }) => `${quoteName(schema)}.${quoteName(table)}`));
  const [found] = await queryRows<{ is: boolean }>(
    tx,
    `select ${tables.map((table) => `exists (select 1 from ${table} where room_id = ?)`).join(' or ')}
            or exists (select 1 from ${bookkeepingTables(live.bookkeepingSchema).parkedStreams}
                        where projection = any (?::text[]) and version = ? and stream = ?) as is`,
    [...tables.map(() => roomId), [live.name, keyOfBuild(live, build).name], live.version, streamOfRoom(roomId)],
  );
  return found?.is === true;
}

/** Only tables with differences are written to. */
async function exchangeRows(
  tx: Knex.Transaction,
  { live, build, roomId }: Scratch,
  shapes: readonly TableShape[],
): Promise<Repair['tables']> {
  const schema = schemaOfBuild(live, build);
  const repaired: Repair['tables'] = [];
  for (const shape of shapes) {
    const [left, right] = [
      { tx, schema: live.schema },
      { tx, schema },
    ];
    const { counts, examples } = await compareRows(left, right, sharedShape(shape, shape), [roomId], MAX_EXAMPLES);
    if (counts.onlyLeft + counts.onlyRight + counts.changed === 0) continue;
    const columns = shape.columns.map(({ name }) => quoteName(name)).join(', ');
    const [liveTable, freshTable] = [live.schema, schema].map((name) => `${quoteName(name)}.${quoteName(shape.table)}`);
    await changeRows(tx, `delete from ${liveTable} where room_id = ?`, [roomId]);
    await changeRows(
      tx,
      `insert into ${liveTable} (${columns}) select ${columns} from ${freshTable} where room_id = ?`,
      [roomId],
    );
    repaired.push({ table: shape.table, examples, ...counts });
  }
  return repaired;
}

/** What is parked of the stream belongs to its rows: the rows end where the parked records begin. */
async function exchangeParked(tx: Knex.Transaction, { live, build, roomId }: Scratch): Promise<Repair['parked']> {
  const tables = bookkeepingTables(live.bookkeepingSchema);
  const fresh = keyOfBuild(live, build);
  const stream = streamOfRoom(roomId);
  const { differences } = await compareParked(tables, { tx, key: live }, { tx, key: fresh }, stream);
  if (differences.length === 0) return [];
  await replaceParked(
    tx,
    tables.parkedStreams,
    'stream, partition, first_offset, reason, parked_at_ms',
    live,
    fresh,
    stream,
  );
  await replaceParked(
    tx,
    tables.parkedRecords,
    'stream, partition, "offset", appended_at_ms, value',
    live,
    fresh,
    stream,
  );
  return differences;
}

async function replaceParked(
  tx: Knex.Transaction,
  table: string,
  columns: string,
  live: ProjectionKey,
  fresh: ProjectionKey,
  stream: string,
): Promise<void> {
  await changeRows(tx, `delete from ${table} where projection = ? and version = ? and stream = ?`, [
    live.name,
    live.version,
    stream,
  ]);
  await changeRows(
    tx,
    `insert into ${table} (projection, version, ${columns})
     select ?, ?, ${columns} from ${table} where projection = ? and version = ? and stream = ?`,
    [live.name, live.version, fresh.name, fresh.version, stream],
  );
}
