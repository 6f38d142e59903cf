// Builds that declare two versions of the history, for tests alone. Version 2 also counts each room's messages.
import { createHistoryProjection } from '../../../projections/history/history-projection.ts';
import { historyKeyOf, historyTables } from '../../../projections/history/tables.ts';
import { HISTORY_VERSIONS, type HistoryVersion } from '../../../projections/history/versions.ts';
import type { TableProjection } from '../../../projections/table-projection.ts';

export const [VERSION_1] = HISTORY_VERSIONS as [HistoryVersion];

export const VERSION_2: HistoryVersion = {
  version: 2,
  tablesFile: new URL('./create-tables.sql', import.meta.url),
  createProjection: createCountingProjection,
};

function createCountingProjection(schema: string): TableProjection {
  const first = createHistoryProjection(schema);
  const { rooms, messages } = historyTables(schema);
  return {
    ...historyKeyOf(2),
    async write(tx, events) {
      await first.write(tx, events);
      const roomIds = [...new Set(events.map(({ event }) => event.roomId))];
      await tx.raw(
        `update ${rooms} as room
            set messages = (select count(*) from ${messages} as message where message.room_id = room.room_id)
          where room_id = any (?::text[])`,
        [roomIds],
      );
    },
  };
}
