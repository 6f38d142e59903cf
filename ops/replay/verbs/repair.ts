// `repair`: makes one room's rows anew from the log.
import type { Command } from 'commander';
import { type Repair, repairRoom, UnknownRoomError } from '../../../projections/replay/repair-room.ts';
import { count } from '../../progress.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type Exit, UsageError } from '../exits.ts';
import { showFold } from '../fold-progress.ts';
import { openFold, projectionNamed } from '../open-fold.ts';
import { showParked, showRow } from '../show-comparison.ts';

const NAMES = { left: 'before', right: 'by the log' };

export function addRepair(program: Command, cli: Cli): void {
  program
    .command('repair')
    .description("makes one room's rows anew from the log; other rooms stay as they are, and everything goes on")
    .argument('<projection>', 'history')
    .requiredOption('--room <id>', 'the room')
    .action((projection: string, { room }: { room: string }) => cli.run(() => repair(cli, projection, room)));
}

async function repair(cli: Cli, name: string, roomId: string): Promise<Exit> {
  const live = projectionNamed(name);
  const resources = cli.resources();
  const deps = await openFold(resources);
  // Before anything is changed: where Redis is configured and away, the room could stay wrong in there.
  const cache = await resources.cache();
  const progress = showFold(cli.out);
  const repaired = await repairRoom(deps, {
    live,
    roomId,
    onBegin: progress.begin,
    onChunk: progress.add,
    signal: cli.signal,
  })
    .catch((error: unknown) => {
      if (error instanceof UnknownRoomError) throw new UsageError(error.message);
      throw error;
    })
    .finally(progress.stop);
  if (repaired === null) return EXIT.interrupted;
  await cache?.apply({ moves: new Map(), dropped: [roomId], runs: [] });
  const isInOtherProcess = cache === null && repaired.tables.length > 0;
  cli.out.result({ projection: live.name, version: live.version, roomId, ...repaired }, [
    ...describe(roomId, repaired),
    ...(isInOtherProcess
      ? ['what a running Roomlog has in its memory of the room stays until it is started again']
      : []),
  ]);
  return EXIT.done;
}

function describe(roomId: string, { partition, offset, tables, parked }: Repair): string[] {
  const at = `at ${partition}-${offset}`;
  if (tables.length === 0 && parked.length === 0) return [`room ${roomId}: nothing to repair ${at}`];
  return [
    `room ${roomId}: repaired ${at}`,
    ...tables.flatMap(({ table, onlyLeft, onlyRight, changed, examples }) => [
      `  ${table}: ${count(onlyLeft)} rows taken away, ${count(onlyRight)} put in, ${count(changed)} put right`,
      ...examples.map((row) => `    ${showRow(row, NAMES)}`),
    ]),
    ...showParked({ alike: 0, differences: parked }, NAMES),
  ];
}
