// `cache rebuild`: the hot cache in Redis, filled from PostgreSQL.
import { type Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../../platform/clock.ts';
import { HISTORY_SCHEMA, historyTables } from '../../../projections/history/tables.ts';
import type { BringInDeps } from '../../../read-api/bring-in.ts';
import { PositionWaiter } from '../../../read-api/position-waiter.ts';
import { createQueries, type Queries } from '../../../read-api/queries/queries.ts';
import { LIMITS } from '../../../schemas/limits.ts';
import { count, showProgress } from '../../progress.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type Exit, RefusedError, UsageError } from '../exits.ts';
import { bringInAll, givePositions, type RebuildCounts, type RoomPlace, selectNewestRooms } from '../rebuild-cache.ts';

const DEFAULT_ROOMS = 10_000;
const MAX_ROOMS = 1_000_000;
/** Rooms that wait for history at a time: more than are brought in at a time. */
const MAX_WAITING = 100;

type Deps = BringInDeps & { queries: Queries };

export function addCache(program: Command, cli: Cli): void {
  const cache = program.command('cache').description('the hot cache in Redis');
  cache
    .command('rebuild')
    .description('drops what is cached and fills it from PostgreSQL, the rooms first in which something was said last')
    .option('--rooms <n>', 'rooms to fill at most', toRooms, DEFAULT_ROOMS)
    .option('--room <id>', 'this room alone')
    .action((options: { rooms: number; room?: string }) =>
      cli.run(() => (options.room === undefined ? rebuildAll(cli, options.rooms) : rebuildOne(cli, options.room))),
    );
}

async function rebuildAll(cli: Cli, maxRooms: number): Promise<Exit> {
  const { deps, checkpoints } = await open(cli);
  const tables = historyTables(HISTORY_SCHEMA);
  const newest = await selectNewestRooms(await cli.resources().db(), tables, maxRooms + 1);
  const rooms = newest.slice(0, maxRooms);
  await deps.cache.drop('all');
  await givePositions(deps, checkpoints);
  const counts = await fill(cli, deps, rooms);
  if (newest.length > maxRooms) {
    cli.out.note(
      `Only the ${count(maxRooms)} rooms in which something was said last: others come in when they are read.`,
    );
  }
  return end(cli, rooms, counts);
}

async function rebuildOne(cli: Cli, roomId: string): Promise<Exit> {
  const { deps, checkpoints } = await open(cli);
  const snapshot = await deps.queries.roomSnapshot(roomId, 1);
  if (snapshot === null) throw new UsageError(`history has no room ${roomId}`);
  const rooms = [{ roomId, partition: snapshot.partition }];
  await deps.cache.drop([roomId]);
  await givePositions(deps, checkpoints);
  return end(cli, rooms, await fill(cli, deps, rooms));
}

async function open({ resources }: Cli): Promise<{ deps: Deps; checkpoints: ReadonlyMap<number, number> }> {
  if (resources().config.redis === null) {
    throw new RefusedError('without REDIS_HOST the hot cache is in the memory of the process that reads it');
  }
  const [db, cache] = await Promise.all([resources().db(), resources().cache()]);
  if (cache === null) throw new RefusedError('there is no Redis');
  const queries = createQueries({ db });
  const checkpoints = await queries.checkpoints();
  const positions = new PositionWaiter({
    checkpoints: () => queries.checkpoints(),
    clock: systemClock,
    timeoutMs: LIMITS.minPositionMs,
    maxWaiting: MAX_WAITING,
  });
  return { deps: { cache, queries, positions }, checkpoints };
}

async function fill({ out, signal }: Cli, deps: Deps, rooms: readonly RoomPlace[]): Promise<RebuildCounts> {
  const counts = { done: 0, filled: 0, present: 0, failed: 0 };
  const progress = out.json
    ? null
    : showProgress({
        out: out.stderr,
        total: rooms.length,
        read: () => ({ done: counts.done, refused: 0 }),
        now: () => performance.now(),
        unit: 'rooms',
      });
  try {
    await bringInAll(deps, rooms, { signal, counts });
  } finally {
    progress?.stop();
  }
  return counts;
}

function end({ out, signal }: Cli, rooms: readonly RoomPlace[], counts: RebuildCounts): Exit {
  const { filled, present, failed } = counts;
  const parts = [
    `Filled: ${count(filled)} rooms.`,
    ...(present > 0 ? [`Filled by readers meanwhile: ${count(present)}.`] : []),
    ...(failed > 0 ? [`Could not be filled now: ${count(failed)}; they come in when they are read.`] : []),
  ];
  out.result({ rooms: rooms.length, filled, present, failed }, parts);
  if (signal.aborted) {
    out.fault('interrupted: the other rooms come in when they are read');
    return EXIT.interrupted;
  }
  return failed > 0 ? EXIT.differences : EXIT.done;
}

function toRooms(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > MAX_ROOMS) {
    throw new InvalidArgumentError(`must be 1 to ${MAX_ROOMS}.`);
  }
  return value;
}
