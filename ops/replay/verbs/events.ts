// `events`: what lies in the log, shown, written to a file and read from one.
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Cli } from '../cli.ts';
import { type ExportOptions, exportEvents } from '../events/export.ts';
import { type ImportOptions, importEvents } from '../events/import.ts';
import { parseCount, parseLogPlace, parseRoomPlace } from '../events/places.ts';
import { type ShowOptions, showEvents } from '../events/show.ts';
import { type TailOptions, tailEvents } from '../events/tail.ts';

const ROOM_PLACE = 'a version of the room, offset:<offset>, a time like 2026-01-31T12:00:00Z, beginning or now';
const LOG_PLACE = 'beginning, now, a time like 2026-01-31T12:00:00Z, or an offset';

export function addEvents(program: Command, cli: Cli): void {
  const events = program.command('events').description('the log itself: what lies in it, and copies of it in files');
  events
    .command('show')
    .description('the records of one room, void ones marked; reads through the partition that the room lies in')
    .requiredOption('--room <id>', 'id of the room')
    .addOption(new Option('--from <place>', `begin there: ${ROOM_PLACE}`).argParser(parseRoomPlace))
    .addOption(new Option('--to <place>', 'end there, itself included').argParser(parseRoomPlace))
    .addOption(new Option('--follow', 'go on with what is written meanwhile, until Ctrl-C').conflicts('to'))
    .option('--limit <n>', 'end after so many records', parseCount)
    .action((options: ShowOptions) => cli.run(() => showEvents(cli, options)));
  events
    .command('tail')
    .description('every record that is written, void ones and barriers marked, until Ctrl-C')
    .option('--partition <n...>', 'only of these partitions', parsePartition)
    .addOption(new Option('--from <place>', `begin there: ${LOG_PLACE}`).argParser(parseLogPlace).default('now'))
    .option('--no-follow', 'end where the log ends now')
    .option('--limit <n>', 'end after so many records', parseCount)
    .action((options: TailOptions) => cli.run(() => tailEvents(cli, options)));
  events
    .command('export')
    .description('what counts in the log, up to where it ends now, in an Avro object container file')
    .argument('<file>', 'the file to write; under this name it is there whole or not at all')
    .option('--room <id>', 'only this room')
    .addOption(new Option('--from <place>', `begin there: a time; with --room as in show`).argParser(parseRoomPlace))
    .addOption(new Option('--to <place>', 'end there, itself included').argParser(parseRoomPlace))
    .option('--force', 'replace the file if it is there')
    .action((file: string, options: ExportOptions) => cli.run(() => exportEvents(cli, file, options)));
  events
    .command('import')
    .description('a file that export has written into an empty log, also one of another kind or number of partitions')
    .argument('<file>', 'the file to read')
    .option('--as-is', 'also records that are no events, and rooms whose versions have gaps')
    .action((file: string, options: ImportOptions) => cli.run(() => importEvents(cli, file, options)));
}

function parsePartition(text: string, before: number[] = []): number[] {
  if (!/^\d{1,5}$/.test(text)) throw new InvalidArgumentError('It is the number of a partition.');
  return [...before, Number(text)];
}
