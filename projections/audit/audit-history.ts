// Holds the rows of a room against what its events say they must be.
import { isDeepStrictEqual } from 'node:util';
import type { Knex } from 'knex';
import { queryRows } from '../../platform/sql.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { type HistoryTables, historyTables } from '../history/tables.ts';
import { meansTheSame, type Row } from '../replay/meaning-of-rows.ts';
import type { ExpectedRoom, ExpectedRow } from './expected-room.ts';
import { messageRow } from './expected-room.ts';
import type { Faults } from './faults.ts';

/** Versions that are compared with one query a table. */
const VERSIONS_AT_ONCE = 1_000;

type Expected = { offset: number; row: ExpectedRow };

/** Takes the events in order of their versions, without a gap; memory is bounded by the rows of so many versions. */
export class HistoryAudit {
  readonly #tx: Knex.Transaction;
  readonly #tables: HistoryTables;
  readonly #roomId: string;
  readonly #faults: Faults;
  #messages = new Map<number, Expected>();
  #events = new Map<number, Expected>();
  #comparedTo = 0;
  #version = 0;

  constructor(options: { tx: Knex.Transaction; schema: string; roomId: string; faults: Faults }) {
    this.#tx = options.tx;
    this.#tables = historyTables(options.schema);
    this.#roomId = options.roomId;
    this.#faults = options.faults;
  }

  async take(event: ChatEvent, offset: number): Promise<void> {
    const { version } = event.metadata;
    this.#version = version;
    if (event.type === 'MessageSent') this.#messages.set(version, { offset, row: messageRow(event) });
    else this.#events.set(version, { offset, row: { room_id: this.#roomId, version, event } });
    if (version - this.#comparedTo >= VERSIONS_AT_ONCE) await this.#compareVersions(version);
  }

  /** What is left, rows that no event has made, and the tables of the present. */
  async end(room: ExpectedRoom): Promise<void> {
    await this.#compareVersions(null);
    await this.#compareAll('rooms', this.#tables.rooms, () => 'the room', roomRows(room));
    await this.#compareAll('memberships', this.#tables.memberships, userOf, memberRows(this.#roomId, room));
    await this.#compareAll('invitations', this.#tables.invitations, userOf, invitationRows(this.#roomId, room));
  }

  /** `to`: the last version; null: all that there are. The primary keys serve it. */
  async #compareVersions(to: number | null): Promise<void> {
    const tables = [
      ['messages', this.#tables.messages, this.#messages],
      ['room_events', this.#tables.roomEvents, this.#events],
    ] as const;
    for (const [name, table, expected] of tables) {
      const rows = await queryRows<{ row: Row }>(
        this.#tx,
        `select to_jsonb(stored) as row from ${table} as stored
          where room_id = ? and version > ? and (?::bigint is null or version <= ?) order by version
          limit ${VERSIONS_AT_ONCE * 2}`,
        [this.#roomId, this.#comparedTo === 0 ? Number.MIN_SAFE_INTEGER : this.#comparedTo, to, to],
      );
      const byVersion = new Map([...expected].map(([version, one]) => [`version ${version}`, one]));
      this.#compare(name, rows, ({ version }) => `version ${String(version)}`, byVersion);
      expected.clear();
    }
    this.#comparedTo = to ?? this.#version;
  }

  async #compareAll(
    name: string,
    table: string,
    keyOf: (row: Row) => string,
    expected: Map<string, Expected>,
  ): Promise<void> {
    const rows = await queryRows<{ row: Row }>(
      this.#tx,
      `select to_jsonb(stored) as row from ${table} as stored where room_id = ?`,
      [this.#roomId],
    );
    this.#compare(name, rows, keyOf, expected);
  }

  #compare(
    table: string,
    rows: readonly { row: Row }[],
    keyOf: (row: Row) => string,
    expected: ReadonlyMap<string, Expected>,
  ): void {
    const missing = new Map(expected);
    for (const { row } of rows) {
      const key = keyOf(row);
      const wanted = expected.get(key);
      missing.delete(key);
      if (wanted === undefined) this.#faults.add('history', null, `${table}, ${key}: a row that no event has made`);
      else if (!isDeepStrictEqual(row, wanted.row) && !meansTheSame(table, row, wanted.row)) {
        const columns = Object.keys(wanted.row).filter((name) => !isDeepStrictEqual(row[name], wanted.row[name]));
        this.#faults.add(
          'history',
          wanted.offset,
          `${table}, ${key}: ${columns.join(', ')} is not what the event says`,
        );
      }
    }
    for (const [key, { offset }] of missing)
      this.#faults.add('history', offset, `${table}, ${key}: the row is missing`);
  }
}

function userOf(row: Row): string {
  return `user ${String(row.user_id)}`;
}

function roomRows(room: ExpectedRoom): Map<string, Expected> {
  const row = room.row();
  return new Map(row === null ? [] : [['the room', { offset: room.offset, row }]]);
}

function memberRows(roomId: string, room: ExpectedRoom): Map<string, Expected> {
  return new Map(
    [...room.members].map(([userId, { username, joinedAtMs, offset }]) => [
      `user ${userId}`,
      { offset, row: { room_id: roomId, user_id: userId, username, joined_at_ms: joinedAtMs } },
    ]),
  );
}

function invitationRows(roomId: string, room: ExpectedRoom): Map<string, Expected> {
  return new Map(
    [...room.invitations].map(([userId, { invitedBy, invitedAtMs, offset }]) => [
      `user ${userId}`,
      { offset, row: { room_id: roomId, user_id: userId, invited_by: invitedBy, invited_at_ms: invitedAtMs } },
    ]),
  );
}
