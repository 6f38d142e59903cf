// `as-of`: a room as it was, from the history's tables.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type AsOfPoint, parseAsOfPoint, type RoomAsOf } from '../../../read-api/queries/as-of.ts';
import { createQueries } from '../../../read-api/queries/queries.ts';
import { LIMITS } from '../../../schemas/limits.ts';
import type { Cli } from '../cli.ts';
import { parseCount } from '../events/places.ts';
import { EXIT, type Exit, UsageError } from '../exits.ts';
import { printable, table } from '../output.ts';

type AsOfOptions = { room: string; at: AsOfPoint; limit: number; members: number };

export function addAsOf(program: Command, cli: Cli): void {
  program
    .command('as-of')
    .description('a room as it was: its details, its members with their roles, and its newest messages then')
    .requiredOption('--room <id>', 'id of the room')
    .addOption(
      new Option('--at <point>', 'a version of the room, or a time like 2026-01-31T12:00:00Z')
        .argParser(parsePoint)
        .makeOptionMandatory(),
    )
    .option('--limit <n>', 'at most so many messages', parseCount, LIMITS.pageMessages)
    .option('--members <n>', 'at most so many members', parseCount, LIMITS.pageMembers)
    .action((options: AsOfOptions) => cli.run(() => showAsOf(cli, options)));
}

async function showAsOf(cli: Cli, { room: roomId, at, limit: messages, members }: AsOfOptions): Promise<Exit> {
  const queries = createQueries({ db: await cli.resources().db() });
  const then = await queries.roomAsOf({ roomId, at, nowMs: Date.now(), messages, members });
  if (then === null) throw new UsageError(`the history has no room ${roomId}`);
  if ('outside' in then) throw new UsageError(then.outside);
  const { room: chatroom, ...rest } = then;
  cli.out.result({ chatroom, ...rest }, toLines(then));
  return EXIT.done;
}

function toLines({ room, members, hasMoreMembers, messages, hasMoreMessages, version, at }: RoomAsOf): string[] {
  const state = [room.isPrivate ? 'private' : 'public', ...(room.archived ? ['archived'] : [])].join(', ');
  return [
    `room ${room.id} in space ${room.spaceId} at version ${version}, which came at ${at}`,
    `"${room.name}", ${state}, made at ${room.createdAt}${room.description === '' ? '' : `: ${room.description}`}`,
    '',
    `members: ${room.memberCount}`,
    ...table(
      ['user', 'name', 'role', 'joined'],
      members.map((member) => [printable(member.userId), printable(member.username), member.role, member.joinedAt]),
    ),
    ...(hasMoreMembers ? [`… the first ${members.length} by user id; --members shows more`] : []),
    '',
    ...(hasMoreMessages ? [`… the newest ${messages.length} messages; --limit shows more`] : []),
    ...messages.map((message) => `#${message.version}  ${message.timestamp}  ${message.userId}: ${message.message}`),
  ].map(printable);
}

function parsePoint(text: string): AsOfPoint {
  const point = parseAsOfPoint(text);
  if (point === null)
    throw new InvalidArgumentError('It is a version of the room, or a time like 2026-01-31T12:00:00Z.');
  return point;
}
