// `audit`: does everything that is kept of one room agree with the log, and the log with itself?
import type { Command } from 'commander';
import { type Audit, auditRoom, NoSuchRoomError } from '../../../projections/audit/audit-room.ts';
import { replayedHistory } from '../../../projections/replay/replayed-projection.ts';
import { count } from '../../progress.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type Exit, UsageError } from '../exits.ts';
import { showFold } from '../fold-progress.ts';
import { openFold } from '../open-fold.ts';

export function addAudit(program: Command, cli: Cli): void {
  program
    .command('audit')
    .description(
      "checks one room: its stream in the log, and that history and hot cache agree with it. Exit 0: they do; 1: they don't",
    )
    .requiredOption('--room <id>', 'the room')
    .action(({ room }: { room: string }) => cli.run(() => audit(cli, room)));
}

async function audit(cli: Cli, roomId: string): Promise<Exit> {
  const live = replayedHistory();
  const resources = cli.resources();
  const [deps, cache] = [await openFold(resources), await resources.cache()];
  const progress = showFold(cli.out);
  const options = { live, roomId, onBegin: progress.begin, onChunk: progress.add, signal: cli.signal };
  const audited = await auditRoom({ ...deps, cache }, options)
    .catch((error: unknown) => {
      if (error instanceof NoSuchRoomError) throw new UsageError(error.message);
      throw error;
    })
    .finally(progress.stop);
  if (audited === null) return EXIT.interrupted;
  cli.out.result({ isSound: audited.faultCount === 0, ...audited }, describe(audited));
  return audited.faultCount === 0 ? EXIT.done : EXIT.differences;
}

function describe(audited: Audit): string[] {
  const { roomId, partition, head, events, voids, discarded, version, checkpoint, faults, faultCount } = audited;
  return [
    `room ${roomId}: ${faultCount === 0 ? 'sound' : `${count(faultCount)} FAULTS`}`,
    `log: partition ${partition} up to ${head}: ${count(events)} records up to version ${version}; ` +
      `${count(voids)} void, ${count(discarded)} discarded`,
    `history: compared up to ${partition}-${checkpoint}`,
    `hot cache: ${cacheText(audited.cache)}`,
    ...faults.map(({ place, offset, what }) => `${place}${offset === null ? '' : `, ${partition}-${offset}`}: ${what}`),
    ...(faultCount > faults.length ? [`faults that are not shown: ${count(faultCount - faults.length)}`] : []),
  ];
}

function cacheText(cache: Audit['cache']): string {
  if (cache === null) return 'not in Redis, so not looked at';
  if (cache === 'absent') return 'does not have the room';
  if (cache === 'changing') return 'the room changes too fast to be compared';
  return `compared at version ${cache}`;
}
