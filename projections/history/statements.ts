// Every statement that writes the history: one a table and kind of change, whatever the number of rows. `unnest` of one array a
// column keeps the statement's text the same for every batch size, and measured 100,000 message rows a second (decision 0006).
import type { Knex } from 'knex';
import { toBigintArray, toTextArray } from '../../event-log/postgres/binary-arrays.ts';
import { changeRows, queryRows } from '../../platform/sql.ts';
import { subjectOf } from '../../schemas/commands.ts';
import type { ChatEvent, MessageSent, RoomCreated } from '../../schemas/generated/events.ts';
import type { Invitation, Membership, RoomChange } from './fold.ts';
import type { RowKey } from './row-changes.ts';
import type { HistoryTables } from './tables.ts';

/** The versions of those of the rooms that are in the table. The primary key serves it. */
export async function selectVersions(
  tx: Knex,
  tables: HistoryTables,
  roomIds: readonly string[],
): Promise<Map<string, number>> {
  const rows = await queryRows<{ room_id: string; version: string }>(
    tx,
    `select room_id, version from ${tables.rooms} where room_id = any (?::text[])`,
    [roomIds],
  );
  return new Map(rows.map(({ room_id, version }) => [room_id, Number(version)]));
}

/** A room that is there already is a fault of the log and throws. */
export async function insertRooms(
  tx: Knex,
  tables: HistoryTables,
  rooms: readonly (RoomChange & { created: RoomCreated; members: number })[],
): Promise<void> {
  if (rooms.length === 0) return;
  await changeRows(
    tx,
    `insert into ${tables.rooms} (room_id, partition, version, space_id, name, description, is_private, owner_id,
                                  member_count, archived, created_at_ms)
     select * from unnest(?::text[], ?::integer[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::boolean[], ?::text[],
                          ?::integer[], ?::boolean[], ?::bigint[])`,
    [
      rooms.map(({ roomId }) => roomId),
      rooms.map(({ partition }) => partition),
      rooms.map(({ version }) => version),
      rooms.map(({ created }) => created.spaceId),
      rooms.map(({ created, name }) => name ?? created.name),
      rooms.map(({ created, description }) => description ?? created.description),
      rooms.map(({ created }) => created.isPrivate),
      rooms.map(({ created }) => subjectOf(created.metadata).userId),
      rooms.map(({ members }) => members),
      rooms.map(({ archived }) => archived),
      rooms.map(({ created }) => created.metadata.occurredAt),
    ],
  );
}

export async function updateRooms(
  tx: Knex,
  tables: HistoryTables,
  rooms: readonly (Omit<RoomChange, 'created'> & { members: number })[],
): Promise<void> {
  if (rooms.length === 0) return;
  await changeRows(
    tx,
    `update ${tables.rooms} as room
        set version = change.version,
            name = coalesce(change.name, room.name),
            description = coalesce(change.description, room.description),
            archived = room.archived or change.archived,
            member_count = room.member_count + change.members
       from unnest(?::text[], ?::bigint[], ?::text[], ?::text[], ?::boolean[], ?::integer[])
            as change (room_id, version, name, description, archived, members)
      where room.room_id = change.room_id`,
    [
      rooms.map(({ roomId }) => roomId),
      rooms.map(({ version }) => version),
      rooms.map(({ name }) => name),
      rooms.map(({ description }) => description),
      rooms.map(({ archived }) => archived),
      rooms.map(({ members }) => members),
    ],
  );
}

export async function insertMessages(tx: Knex, tables: HistoryTables, messages: readonly MessageSent[]): Promise<void> {
  if (messages.length === 0) return;
  const senders = messages.map(({ metadata }) => subjectOf(metadata));
  const operators = messages.map(({ metadata }) => (metadata.onBehalfOf === null ? null : metadata.actor));
  await changeRows(
    tx,
    `insert into ${tables.messages} (room_id, version, message_id, text, user_id, username, operator_id, operator_name,
                                     reply_to, original_time_ms, occurred_at_ms, command_id)
     select * from unnest(?::text[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[], ?::text[],
                          ?::text[], ?::bigint[], ?::bigint[], ?::text[])`,
    [
      toTextArray(messages.map(({ roomId }) => roomId)),
      toBigintArray(messages.map(({ metadata }) => metadata.version)),
      toTextArray(messages.map(({ messageId }) => messageId)),
      toTextArray(messages.map(({ text }) => text)),
      toTextArray(senders.map(({ userId }) => userId)),
      toTextArray(senders.map(({ username }) => username)),
      toTextArray(operators.map((operator) => operator?.userId ?? null)),
      toTextArray(operators.map((operator) => operator?.username ?? null)),
      toTextArray(messages.map(({ replyTo }) => replyTo)),
      toBigintArray(messages.map(({ originalTime }) => originalTime)),
      toBigintArray(messages.map(({ metadata }) => metadata.occurredAt)),
      toTextArray(messages.map(({ metadata }) => metadata.commandId)),
    ],
  );
}

export async function insertRoomEvents(tx: Knex, tables: HistoryTables, events: readonly ChatEvent[]): Promise<void> {
  if (events.length === 0) return;
  await changeRows(
    tx,
    `insert into ${tables.roomEvents} (room_id, version, event)
     select room_id, version, event::jsonb
       from unnest(?::text[], ?::bigint[], ?::text[]) as event (room_id, version, event)`,
    [
      toTextArray(events.map(({ roomId }) => roomId)),
      toBigintArray(events.map(({ metadata }) => metadata.version)),
      toTextArray(events.map((event) => JSON.stringify(event))),
    ],
  );
}

/** Returns the room of every row that went. */
export async function deleteMemberships(tx: Knex, tables: HistoryTables, keys: readonly RowKey[]): Promise<string[]> {
  return deleteByKey(tx, tables.memberships, keys);
}

/** Returns the room of every row that came; who is a member already stays as they are. */
export async function insertMemberships(
  tx: Knex,
  tables: HistoryTables,
  memberships: readonly Membership[],
): Promise<string[]> {
  if (memberships.length === 0) return [];
  const rows = await queryRows<{ room_id: string }>(
    tx,
    `insert into ${tables.memberships} (room_id, user_id, username, joined_at_ms)
     select * from unnest(?::text[], ?::text[], ?::text[], ?::bigint[])
     on conflict (room_id, user_id) do nothing
     returning room_id`,
    [
      toTextArray(memberships.map(({ roomId }) => roomId)),
      toTextArray(memberships.map(({ userId }) => userId)),
      toTextArray(memberships.map(({ username }) => username)),
      toBigintArray(memberships.map(({ joinedAtMs }) => joinedAtMs)),
    ],
  );
  return rows.map(({ room_id }) => room_id);
}

export async function deleteInvitations(tx: Knex, tables: HistoryTables, keys: readonly RowKey[]): Promise<void> {
  await deleteByKey(tx, tables.invitations, keys);
}

export async function insertInvitations(
  tx: Knex,
  tables: HistoryTables,
  invitations: readonly Invitation[],
): Promise<void> {
  if (invitations.length === 0) return;
  await changeRows(
    tx,
    `insert into ${tables.invitations} (room_id, user_id, invited_by, invited_at_ms)
     select * from unnest(?::text[], ?::text[], ?::text[], ?::bigint[])
     on conflict (room_id, user_id) do nothing`,
    [
      invitations.map(({ roomId }) => roomId),
      invitations.map(({ userId }) => userId),
      invitations.map(({ invitedBy }) => invitedBy),
      invitations.map(({ invitedAtMs }) => invitedAtMs),
    ],
  );
}

async function deleteByKey(tx: Knex, table: string, keys: readonly RowKey[]): Promise<string[]> {
  if (keys.length === 0) return [];
  const rows = await queryRows<{ room_id: string }>(
    tx,
    `delete from ${table} as gone using unnest(?::text[], ?::text[]) as key (room_id, user_id)
      where gone.room_id = key.room_id and gone.user_id = key.user_id
     returning gone.room_id`,
    [toTextArray(keys.map(([roomId]) => roomId)), toTextArray(keys.map(([, userId]) => userId))],
  );
  return rows.map(({ room_id }) => room_id);
}
