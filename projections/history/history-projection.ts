// The history: rooms, members, invitations, messages and all other events, in tables that the read API asks.
import type { Knex } from 'knex';
import type { ChatEvent, MessageSent } from '../../schemas/generated/events.ts';
import type { TableProjection } from '../table-projection.ts';
import { foldHistory, type HistoryChanges } from './fold.ts';
import {
  deleteInvitations,
  deleteMemberships,
  insertInvitations,
  insertMemberships,
  insertMessages,
  insertRoomEvents,
  insertRooms,
  selectVersions,
  updateRooms,
} from './statements.ts';
import { HISTORY_PROJECTION, type HistoryTables, historyTables } from './tables.ts';

/** How the two tables are filled that only grow, and hold nearly all rows. */
export type GrowingTables = {
  insertMessages(tx: Knex.Transaction, tables: HistoryTables, messages: readonly MessageSent[]): Promise<void>;
  insertRoomEvents(tx: Knex.Transaction, tables: HistoryTables, events: readonly ChatEvent[]): Promise<void>;
};

/** The projection into the tables of one schema: the live one, or that of a rebuild beside it. */
export function createHistoryProjection(
  schema: string,
  growing: GrowingTables = { insertMessages, insertRoomEvents },
): TableProjection {
  const tables = historyTables(schema);
  return {
    ...HISTORY_PROJECTION,
    async write(tx, events) {
      const roomIds = new Set(events.map(({ event }) => event.roomId));
      const changes = foldHistory(events, await selectVersions(tx, tables, [...roomIds]));
      await writeChanges(tx, tables, changes, growing);
    },
  };
}

/** One statement a table and kind of change, and none where nothing changes. */
async function writeChanges(
  tx: Knex.Transaction,
  tables: HistoryTables,
  changes: HistoryChanges,
  growing: GrowingTables,
): Promise<void> {
  const memberCounts = await writeMemberships(tx, tables, changes);
  const rooms = [...changes.rooms.values()].map((room) => ({ ...room, members: memberCounts.get(room.roomId) ?? 0 }));
  await insertRooms(
    tx,
    tables,
    rooms.flatMap(({ created, ...room }) => (created === null ? [] : [{ ...room, created }])),
  );
  await updateRooms(
    tx,
    tables,
    rooms.filter(({ created }) => created === null),
  );
  await growing.insertMessages(tx, tables, changes.messages);
  await growing.insertRoomEvents(tx, tables, changes.otherEvents);
  await deleteInvitations(tx, tables, changes.invitations.removed);
  await insertInvitations(tx, tables, changes.invitations.added);
}

/** How many members each room gained, counted by the rows that really came and went, so that the count is always theirs. */
async function writeMemberships(
  tx: Knex.Transaction,
  tables: HistoryTables,
  { memberships }: HistoryChanges,
): Promise<Map<string, number>> {
  const gains = new Map<string, number>();
  const count = (roomIds: string[], gain: number): void => {
    for (const roomId of roomIds) gains.set(roomId, (gains.get(roomId) ?? 0) + gain);
  };
  count(await deleteMemberships(tx, tables, memberships.removed), -1);
  count(await insertMemberships(tx, tables, memberships.added), 1);
  return gains;
}
