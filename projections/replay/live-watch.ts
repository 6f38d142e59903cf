// What a rebuild does to what is live: how far the live projection is behind the log, and how long a typical read takes.
import type { EventLog } from '../../event-log/event-log.ts';
import type { Database } from '../../platform/postgres.ts';
import { queryRows } from '../../platform/sql.ts';
import { historyTables } from '../history/tables.ts';
import { lackOf, loadVector } from './flip.ts';
import { headsOf } from './fold-into.ts';
import type { Observation } from './governor.ts';
import type { ReplayedProjection } from './replayed-projection.ts';

const SAMPLE_ROOMS = 500;
const PAGE_MESSAGES = 50;

/** Some rooms of the live tables, to be read by turns. */
export function sampleRooms(db: Database, { schema }: ReplayedProjection): Promise<string[]> {
  const { rooms } = historyTables(schema);
  return queryRows<{ room_id: string }>(db, `select room_id from ${rooms} limit ${SAMPLE_ROOMS}`, []).then((rows) =>
    rows.map(({ room_id }) => room_id),
  );
}

/** Throws where the log or the checkpoints cannot be asked; a read that fails is an observation too. */
export async function observeLive(
  db: Database,
  log: EventLog,
  projection: ReplayedProjection,
  rooms: readonly string[],
): Promise<Observation> {
  const [heads, live] = await Promise.all([headsOf(log), loadVector(db, projection, projection)]);
  // Where nothing was ever projected there is nobody whom the rebuild could hold up.
  const lagEvents = live.size === 0 ? 0 : lackOf(live, heads);
  return { lagEvents, readMs: await timeRead(db, projection, rooms) };
}

/** A room with the page of its newest messages, as the read API asks for them. */
async function timeRead(
  db: Database,
  { schema }: ReplayedProjection,
  rooms: readonly string[],
): Promise<number | null> {
  const tables = historyTables(schema);
  const roomId = rooms[Math.floor(Math.random() * rooms.length)];
  if (roomId === undefined) return 0;
  const begunAt = performance.now();
  try {
    await queryRows(
      db,
      `select version,
              (select json_agg(page) from (
                 select * from ${tables.messages}
                  where room_id = room.room_id order by version desc limit ${PAGE_MESSAGES}
               ) as page) as messages
         from ${tables.rooms} as room where room_id = ?`,
      [roomId],
    );
    return performance.now() - begunAt;
  } catch {
    // Whatever it was, the live tables cannot be read quickly now.
    return null;
  }
}
