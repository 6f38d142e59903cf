// The history in PostgreSQL against the fold of the log, row by row.
import { isDeepStrictEqual } from 'node:util';
import { type FoldedLog, type FoldedRoom, subjectOf } from './folded-log.ts';
import type { Violations } from './violations.ts';

export type Row = Record<string, unknown>;

/** The tables and their primary keys. */
export const TABLE_KEYS = {
  rooms: ['room_id'],
  memberships: ['room_id', 'user_id'],
  invitations: ['room_id', 'user_id'],
  messages: ['room_id', 'version'],
  room_events: ['room_id', 'version'],
} as const;
export type TableName = keyof typeof TABLE_KEYS;

export type TablesRead = {
  rows: (table: TableName) => AsyncIterable<Row> | Iterable<Row>;
  /** The next offset of each partition. */
  checkpoints: ReadonlyMap<number, number>;
  parked: readonly { stream: string; reason: string }[];
};

export async function checkTables(log: FoldedLog, tables: TablesRead, violations: Violations): Promise<void> {
  for (const { stream, reason } of tables.parked)
    violations.add('projection', 'a stream is parked', { stream, reason });
  checkCheckpoints(log, tables.checkpoints, violations);
  for (const table of Object.keys(TABLE_KEYS) as TableName[]) {
    const keyOf = (row: Row) => JSON.stringify(TABLE_KEYS[table].map((column) => row[column]));
    const missing = new Map(expectedRows(log, table).map((row) => [keyOf(row), row]));
    const known = new Set(missing.keys());
    for await (const row of tables.rows(table)) {
      const key = keyOf(row);
      const expected = missing.get(key);
      missing.delete(key);
      if (expected !== undefined) {
        if (!isDeepStrictEqual(row, expected)) violations.add('tables', 'a row is wrong', { table, row, expected });
      } else violations.add('tables', known.has(key) ? 'a row is there twice' : 'a row too many', { table, row });
    }
    for (const expected of missing.values()) violations.add('tables', 'a row is missing', { table, expected });
  }
}

/** The rows that the log means, with numbers for what PostgreSQL has as bigint. */
export function expectedRows(log: FoldedLog, table: TableName): Row[] {
  return [...log.rooms.values()].filter(({ events }) => events.length > 0).flatMap(ROWS_OF[table]);
}

const ROWS_OF: Record<TableName, (room: FoldedRoom) => Row[]> = {
  rooms: (room) => [
    {
      room_id: room.roomId,
      partition: room.partition,
      version: room.events.length,
      space_id: room.spaceId,
      name: room.name,
      description: room.description,
      is_private: room.isPrivate,
      owner_id: room.ownerId,
      member_count: room.members.size,
      archived: room.isArchived,
      created_at_ms: room.createdAtMs,
    },
  ],
  memberships: ({ roomId, members }) =>
    [...members].map(([userId, { username, joinedAtMs }]) => {
      return { room_id: roomId, user_id: userId, username, joined_at_ms: joinedAtMs };
    }),
  invitations: ({ roomId, invitations }) =>
    [...invitations].map(([userId, { invitedBy, invitedAtMs }]) => {
      return { room_id: roomId, user_id: userId, invited_by: invitedBy, invited_at_ms: invitedAtMs };
    }),
  messages: ({ messages }) =>
    messages.map(({ roomId, messageId, text, replyTo, originalTime, metadata }) => {
      const { version, actor, onBehalfOf, occurredAt, commandId } = metadata;
      const { userId, username } = subjectOf(metadata);
      return {
        room_id: roomId,
        version,
        message_id: messageId,
        text,
        user_id: userId,
        username,
        operator_id: onBehalfOf === null ? null : actor.userId,
        operator_name: onBehalfOf === null ? null : actor.username,
        reply_to: replyTo,
        original_time_ms: originalTime,
        occurred_at_ms: occurredAt,
        command_id: commandId,
      };
    }),
  room_events: ({ events }) =>
    events.flatMap(({ event }) => {
      if (event.type === 'MessageSent') return [];
      return [{ room_id: event.roomId, version: event.metadata.version, event }];
    }),
};

/** Behind the last event of each partition, and not beyond its head. */
function checkCheckpoints(log: FoldedLog, checkpoints: ReadonlyMap<number, number>, violations: Violations): void {
  const ends = endsOf(log);
  for (const [partition, head] of log.heads) {
    const checkpoint = checkpoints.get(partition) ?? 0;
    const end = ends.get(partition) ?? 0;
    const details = { partition, checkpoint, end, head };
    if (checkpoint < end) violations.add('projection', 'a checkpoint is behind the end of the log', details);
    if (checkpoint > head) violations.add('projection', 'a checkpoint is beyond the log', details);
  }
}

/** The offset behind the last event of each partition; void records and barriers may follow. */
export function endsOf(log: FoldedLog): Map<number, number> {
  const ends = new Map<number, number>();
  for (const { partition, offset } of log.events) ends.set(partition, Math.max(offset + 1, ends.get(partition) ?? 0));
  return ends;
}
