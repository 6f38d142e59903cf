// Compares the tables of two schemas of a projection: the live ones with those of a build beside them, or with what another version
// of the code makes of the same log.
//
// First look: per table and room, the number of rows and the sum of their hashes, computed by PostgreSQL and merged in the order of
// rooms. It does not depend on the order of rows; a sum, not an exclusive or, so that a row that is there twice shows. Second look,
// only into rooms that differ: row by row. So equal tables cost one scan of each side, both at once, and memory stays bounded however
// many rooms and rows there are.
//
// The two sides may be two transactions, because what is folded to be compared with a snapshot is not visible in that snapshot.
import {
  compareRows,
  quoteName,
  type RowCounts,
  type RowDifference,
  roomOfRow,
  rowHash,
  type Side,
} from './compare-rows.ts';
import { compareText, mergeOrdered, type OrderedQuery } from './merge-cursors.ts';
import { loadTableShapes, type SharedShape, sharedShape } from './table-shapes.ts';

export type TableComparison = RowCounts & {
  table: string;
  /** Null: that side has no such table. */
  leftRows: number | null;
  rightRows: number | null;
  /** The sums of all row hashes over the common columns, to be shown as what was compared. */
  leftHash: string;
  rightHash: string;
  differingRooms: number;
  columns: Pick<SharedShape, 'onlyLeft' | 'onlyRight' | 'retyped'>;
};

export type RoomDifference = { roomId: string; tables: string[]; rows: RowDifference[] };

export type Comparison = {
  isEqual: boolean;
  rooms: number;
  differingRooms: number;
  tables: TableComparison[];
  /** The first rooms that differ, in the order of their ids. */
  examples: RoomDifference[];
};

export type CompareBounds = {
  /** Rooms of which the differences are told. */
  maxRooms: number;
  /** Differences that are told of one table in one room. */
  maxRowsPerTable: number;
};

const BOUNDS: CompareBounds = { maxRooms: 5, maxRowsPerTable: 3 };
/** Rooms that are looked into with one query; so many ids are in memory. */
const ROOMS_AT_ONCE = 200;

type RoomHash = { room_id: string; place: number; rows: string; hash: string };

/** Reads only. Both transactions must have a snapshot that stays (REPEATABLE READ) where somebody writes to the tables meanwhile. */
export async function compareTables(left: Side, right: Side, bounds: CompareBounds = BOUNDS): Promise<Comparison> {
  const [lefts, rights] = [await loadTableShapes(left.tx, left.schema), await loadTableShapes(right.tx, right.schema)];
  const shapes = [...lefts.values()].flatMap((shape) => {
    const other = rights.get(shape.table);
    return other === undefined ? [] : [sharedShape(shape, other)];
  });
  const comparison = new RunningComparison(left, right, shapes, bounds);
  const query = ({ tx, schema }: Side): OrderedQuery => ({ tx, sql: roomHashes(schema, shapes), bindings: [] });
  if (shapes.length > 0) {
    const merged = mergeOrdered<RoomHash>('rooms', query(left), query(right), compareRooms);
    for await (const [inLeft, inRight] of merged) await comparison.take(inLeft, inRight);
    await comparison.lookInto();
  }
  const missing = [
    ...[...lefts.keys()].filter((table) => !rights.has(table)).map((table) => oneSided(left, table, 'left')),
    ...[...rights.keys()].filter((table) => !lefts.has(table)).map((table) => oneSided(right, table, 'right')),
  ];
  return comparison.end(await Promise.all(missing));
}

/** All tables in one result, so that a room's tables come one after the other and one merge sees the whole room. */
function roomHashes(schema: string, shapes: readonly SharedShape[]): string {
  const perTable = shapes.map(
    (shape, place) =>
      `select ${roomOfRow(shape)} as room_id, ${place} as place, count(*) as rows, sum(${rowHash(shape.columns)}) as hash
         from ${quoteName(schema)}.${quoteName(shape.table)} group by 1`,
  );
  return `select room_id, place, rows::text, hash::text from (${perTable.join(' union all ')}) as hashes
           order by room_id collate "C", place`;
}

function compareRooms(left: RoomHash, right: RoomHash): number {
  return compareText(left.room_id, right.room_id) || left.place - right.place;
}

async function oneSided({ tx, schema }: Side, table: string, side: 'left' | 'right'): Promise<TableComparison> {
  const counted = await tx.raw<{ rows: { rows: string }[] }>(
    `select count(*) as rows from ${quoteName(schema)}.${quoteName(table)}`,
  );
  const rows = Number(counted.rows[0]?.rows ?? 0);
  return {
    ...emptyComparison(table),
    leftRows: side === 'left' ? rows : null,
    rightRows: side === 'right' ? rows : null,
    onlyLeft: side === 'left' ? rows : 0,
    onlyRight: side === 'right' ? rows : 0,
  };
}

function emptyComparison(table: string): TableComparison {
  return {
    table,
    leftRows: 0,
    rightRows: 0,
    leftHash: '0',
    rightHash: '0',
    differingRooms: 0,
    onlyLeft: 0,
    onlyRight: 0,
    changed: 0,
    older: 0,
    columns: { onlyLeft: [], onlyRight: [], retyped: [] },
  };
}

/** Takes the merged hashes one by one, and looks into the rooms that differ, many at once. */
class RunningComparison {
  readonly #left: Side;
  readonly #right: Side;
  readonly #bounds: CompareBounds;
  readonly #tables: { shape: SharedShape; sum: TableComparison; leftHash: bigint; rightHash: bigint }[];
  readonly #examples: RoomDifference[] = [];
  #rooms = 0;
  #differingRooms = 0;
  #room = '';
  /** Rooms that differ and were not looked into yet, with the places of the tables in which they do. */
  #waiting = new Map<string, number[]>();

  constructor(left: Side, right: Side, shapes: readonly SharedShape[], bounds: CompareBounds) {
    this.#left = left;
    this.#right = right;
    this.#bounds = bounds;
    this.#tables = shapes.map((shape) => ({
      shape,
      sum: { ...emptyComparison(shape.table), columns: columnsOf(shape) },
      leftHash: 0n,
      rightHash: 0n,
    }));
  }

  async take(left: RoomHash | null, right: RoomHash | null): Promise<void> {
    const either = left ?? right;
    const table = either === null ? undefined : this.#tables[either.place];
    if (either === null || table === undefined) throw new RangeError('a hash belongs to a table of the comparison');
    if (this.#rooms === 0 || either.room_id !== this.#room) {
      if (this.#waiting.size >= ROOMS_AT_ONCE) await this.lookInto();
      this.#rooms += 1;
      this.#room = either.room_id;
    }
    const { sum } = table;
    sum.leftRows = (sum.leftRows ?? 0) + Number(left?.rows ?? 0);
    sum.rightRows = (sum.rightRows ?? 0) + Number(right?.rows ?? 0);
    table.leftHash += BigInt(left?.hash ?? 0);
    table.rightHash += BigInt(right?.hash ?? 0);
    if (left?.rows === right?.rows && left?.hash === right?.hash) return;
    const places = this.#waiting.get(either.room_id) ?? [];
    this.#waiting.set(either.room_id, [...places, either.place]);
  }

  /** Looks into the rooms that wait for it: only the rows say whether they mean the same. */
  async lookInto(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = new Map();
    const differing = new Set<string>();
    // The first ones one by one, because each may tell so many rows.
    for (const [roomId, places] of waiting) {
      if (this.#examples.length >= this.#bounds.maxRooms) break;
      waiting.delete(roomId);
      const example: RoomDifference = { roomId, tables: [], rows: [] };
      for (const place of places) {
        const { rooms, examples } = await this.#compareRows(place, [roomId], this.#bounds.maxRowsPerTable);
        if (rooms.size > 0) example.tables.push(this.#tables[place]?.shape.table ?? '');
        example.rows.push(...examples);
      }
      if (example.tables.length === 0) continue;
      differing.add(roomId);
      this.#examples.push(example);
    }
    for (const place of this.#tables.keys()) {
      const roomIds = [...waiting].filter(([, places]) => places.includes(place)).map(([roomId]) => roomId);
      if (roomIds.length === 0) continue;
      for (const roomId of (await this.#compareRows(place, roomIds, 0)).rooms) differing.add(roomId);
    }
    this.#differingRooms += differing.size;
  }

  end(missing: readonly TableComparison[]): Comparison {
    const shared = this.#tables.map(({ sum, leftHash, rightHash }) => ({
      ...sum,
      leftHash: String(leftHash),
      rightHash: String(rightHash),
    }));
    const haveSameColumns = this.#tables.every(({ sum: { columns } }) => Object.values(columns).flat().length === 0);
    return {
      isEqual: this.#differingRooms === 0 && missing.length === 0 && haveSameColumns,
      rooms: this.#rooms,
      differingRooms: this.#differingRooms,
      tables: [...shared, ...missing],
      examples: this.#examples,
    };
  }

  async #compareRows(place: number, roomIds: readonly string[], maxExamples: number): ReturnType<typeof compareRows> {
    const table = this.#tables[place];
    if (table === undefined) throw new RangeError('a place belongs to a table of the comparison');
    const compared = await compareRows(this.#left, this.#right, table.shape, roomIds, maxExamples);
    const { onlyLeft, onlyRight, changed, older } = compared.counts;
    table.sum.onlyLeft += onlyLeft;
    table.sum.onlyRight += onlyRight;
    table.sum.changed += changed;
    table.sum.older += older;
    table.sum.differingRooms += compared.rooms.size;
    return compared;
  }
}

function columnsOf({ onlyLeft, onlyRight, retyped }: SharedShape): TableComparison['columns'] {
  return { onlyLeft, onlyRight, retyped };
}
