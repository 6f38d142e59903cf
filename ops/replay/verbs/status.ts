// `status`: how far every projection is.
import type { Command } from 'commander';
import { queryRows } from '../../../platform/sql.ts';
import { BOOKKEEPING_SCHEMA, bookkeepingTables, HISTORY_PROJECTION } from '../../../projections/history/tables.ts';
import type { Cli } from '../cli.ts';
import { EXIT, type Exit } from '../exits.ts';
import { table } from '../output.ts';

export function addStatus(program: Command, cli: Cli): void {
  program
    .command('status')
    .description('every projection: how far it is, what it has parked, which jobs run')
    .action(() => cli.run(() => showStatus(cli)));
}

async function showStatus({ out, resources }: Cli): Promise<Exit> {
  const [db, { log }] = await Promise.all([resources().db(), resources().eventLog()]);
  const { checkpoints } = bookkeepingTables(BOOKKEEPING_SCHEMA);
  const { name, version } = HISTORY_PROJECTION;
  const rows = await queryRows<{ partition: number; next_offset: string }>(
    db,
    `select partition, next_offset from ${checkpoints} where projection = ? and version = ? order by partition`,
    [name, version],
  );
  const partitions = await Promise.all(
    rows.map(async ({ partition, next_offset }) => {
      const head = await log.head(partition);
      return { partition, checkpoint: Number(next_offset), head, lagEvents: head - Number(next_offset) };
    }),
  );
  const lines = table(
    ['partition', 'checkpoint', 'head', 'lag'],
    partitions.map(({ partition, checkpoint, head, lagEvents }) => [partition, checkpoint, head, lagEvents]),
  );
  out.result({ projection: name, version, partitions }, [`${name}, version ${version}`, ...lines]);
  return EXIT.done;
}
