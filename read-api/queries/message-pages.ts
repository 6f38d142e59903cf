// Pages of a room's messages by version, in both directions. The primary key (room_id, version) serves them.
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import type { HistoryTables } from '../../projections/history/tables.ts';
import type { MessageView } from '../../schemas/wire.ts';
import { MESSAGE_COLUMNS, type MessageRow, rowToMessage } from './row-views.ts';

/** Where the page lies: before a version (newest of them first cut), after a version, or at the end of the room. */
export type PageRange = { before: number } | { after: number } | { newest: true };

/** Ascending. `hasMore`: there are messages further on in the direction of paging. */
export type MessagePage = { messages: MessageView[]; hasMore: boolean };

export async function selectMessagePage(
  db: Knex,
  tables: HistoryTables,
  roomId: string,
  range: PageRange,
  limit: number,
): Promise<MessagePage> {
  const forwards = 'after' in range;
  const [condition, bound] = forwards
    ? ['and version > ?', [range.after]]
    : 'before' in range
      ? ['and version < ?', [range.before]]
      : ['', []];
  const rows = await queryRows<MessageRow>(
    db,
    `select ${MESSAGE_COLUMNS} from ${tables.messages} where room_id = ? ${condition}
      order by version ${forwards ? 'asc' : 'desc'} limit ?`,
    // One more than asked for tells whether there is a next page.
    [roomId, ...bound, limit + 1],
  );
  const messages = rows.slice(0, limit).map(rowToMessage);
  return { messages: forwards ? messages : messages.reverse(), hasMore: rows.length > limit };
}
