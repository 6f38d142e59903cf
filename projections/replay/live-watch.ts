// What a rebuild does to what is live: how far the live projection is behind the log, and how long a typical read takes.
import type { EventLog } from '../../event-log/event-log.ts';
import type { Database } from '../../platform/postgres.ts';
import { queryRows } from '../../platform/sql.ts';
import type { Time } from '../../platform/time.ts';
import { historyTables } from '../history/tables.ts';
import { lackOf, vectorOf } from './flip.ts';
import { headsOf } from './fold-into.ts';
import type { ReplayedProjection } from './replayed-projection.ts';

const SAMPLE_ROOMS = 500;
const PAGE_MESSAGES = 50;
/** The newest reads that are judged together: about two seconds of them. */
const WINDOW_READS = 40;
/** Of ten reads one may be slower than what is judged. */
const PERCENTILE = 0.9;
const USUAL_READS = 60;
const USUAL_PAUSE_MS = 10;

/** Times reads of the live tables, a room with the page of its newest messages as the read API asks for them. */
export class LiveReads {
  readonly #db: Database;
  readonly #projection: ReplayedProjection;
  readonly #rooms: readonly string[];
  /** Milliseconds; one that failed took for ever. */
  #recent: number[] = [];

  constructor(db: Database, projection: ReplayedProjection, rooms: readonly string[]) {
    this.#db = db;
    this.#projection = projection;
    this.#rooms = rooms;
  }

  /** Some rooms of the live tables are read by turns; where there is none, no read is ever slow. */
  static async open(db: Database, projection: ReplayedProjection): Promise<LiveReads> {
    const { rooms } = historyTables(projection.schema);
    const found = await queryRows<{ room_id: string }>(db, `select room_id from ${rooms} limit ${SAMPLE_ROOMS}`, []);
    return new LiveReads(
      db,
      projection,
      found.map(({ room_id }) => room_id),
    );
  }

  /** Milliseconds that nine of ten reads stay within while the job does nothing else: takes about a second. */
  async usual(time: Time): Promise<number> {
    for (let reads = 0; reads < USUAL_READS; reads += 1) {
      await this.readOne();
      await time.pause(USUAL_PAUSE_MS);
    }
    const usual = percentile(this.#recent);
    this.#recent = [];
    return usual;
  }

  async readOne(): Promise<void> {
    this.#recent = [...this.#recent.slice(1 - WINDOW_READS), await this.#time()];
  }

  /** Milliseconds that nine of ten of the newest reads stayed within, and begins anew; null where there were none. */
  judge(): number | null {
    if (this.#recent.length === 0) return null;
    const slow = percentile(this.#recent);
    this.#recent = [];
    return slow;
  }

  async #time(): Promise<number> {
    const tables = historyTables(this.#projection.schema);
    const roomId = this.#rooms[Math.floor(Math.random() * this.#rooms.length)];
    if (roomId === undefined) return 0;
    const begunAt = performance.now();
    try {
      await queryRows(
        this.#db,
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
      return Number.POSITIVE_INFINITY;
    }
  }
}

/** Offsets that the live projection is behind the log. Throws where the log or the checkpoints cannot be asked. */
export async function lagOfLive(db: Database, log: EventLog, projection: ReplayedProjection): Promise<number> {
  const [heads, live] = await Promise.all([headsOf(log), vectorOf(db, projection, projection)]);
  // Where nothing was ever projected there is nobody whom the rebuild could hold up.
  return live.size === 0 ? 0 : lackOf(live, heads);
}

function percentile(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length * PERCENTILE)] ?? 0;
}
