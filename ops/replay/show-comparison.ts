// A comparison as lines for people: a summary a table, then the differences of the first rooms.

import type { ProjectionKey } from '../../projections/checkpoints.ts';
import type { ParkedComparison } from '../../projections/replay/compare-parked.ts';
import type { RowDifference } from '../../projections/replay/compare-rows.ts';
import type { Comparison, TableComparison } from '../../projections/replay/compare-tables.ts';
import type { OffsetVector } from '../../projections/replay/live-vector.ts';
import type { Row } from '../../projections/replay/meaning-of-rows.ts';
import type { Verification } from '../../projections/replay/verify-live.ts';
import { count } from '../progress.ts';
import { table } from './output.ts';

/** What the two sides are called. */
export type SideNames = { left: string; right: string };

const MAX_VALUE_CHARACTERS = 60;

export function isEqual({ comparison, parked }: Verification): boolean {
  return comparison.isEqual && parked.differences.length === 0;
}

export function verificationJson({ name, version }: ProjectionKey, verification: Verification): object {
  const { vector, events, comparison, parked, foldMs, compareMs } = verification;
  return {
    projection: name,
    version,
    isEqual: isEqual(verification),
    vector: [...vector].map(([partition, offset]) => ({ partition, offset })),
    events,
    rooms: comparison.rooms,
    rows: rowsOf(comparison, 'leftRows'),
    differingRooms: comparison.differingRooms,
    tables: comparison.tables,
    examples: comparison.examples,
    parked,
    foldMs: Math.round(foldMs),
    compareMs: Math.round(compareMs),
  };
}

export function showVerification(verification: Verification, names: SideNames): string[] {
  const { vector, events, comparison, parked, foldMs, compareMs } = verification;
  return [
    `at ${vectorText(vector)}: ${count(comparison.rooms)} rooms, ${count(rowsOf(comparison, 'leftRows'))} rows ${names.left}, ` +
      `${count(events)} events folded in ${seconds(foldMs)}, compared in ${seconds(compareMs)}`,
    ...showTables(comparison, names),
    ...showParked(parked, names),
    ...showExamples(comparison, names),
  ];
}

export function vectorText(vector: OffsetVector): string {
  return [...vector].map(([partition, offset]) => `${partition}-${offset}`).join(' ');
}

export function rowsOf({ tables }: Comparison, side: 'leftRows' | 'rightRows'): number {
  return tables.reduce((sum, one) => sum + (one[side] ?? 0), 0);
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

export function showTables({ tables }: Comparison, { left, right }: SideNames): string[] {
  return table(
    [
      'table',
      `rows ${left}`,
      `rows ${right}`,
      `only ${left}`,
      `only ${right}`,
      'changed',
      'rooms that differ',
      'remarks',
    ],
    tables.map((one) => [
      one.table,
      one.leftRows ?? 'no table',
      one.rightRows ?? 'no table',
      one.onlyLeft,
      one.onlyRight,
      one.changed,
      one.differingRooms,
      showColumns(one, { left, right }),
    ]),
  );
}

/** The differences of the rooms that were looked into, and how many more rooms differ. */
export function showExamples({ examples, differingRooms }: Comparison, names: SideNames): string[] {
  const lines = examples.flatMap(({ roomId, tables, rows }) => [
    `room ${roomId}: ${tables.join(', ')}`,
    ...rows.map((row) => `  ${showRow(row, names)}`),
  ]);
  const more = differingRooms - examples.length;
  return more > 0 ? [...lines, `rooms that differ and are not shown: ${count(more)}`] : lines;
}

export function showParked({ alike, differences }: ParkedComparison, { left, right }: SideNames): string[] {
  const from = (parked: ParkedComparison['differences'][number]['left']): string =>
    parked === null ? 'not parked' : `parked from offset ${parked.firstOffset} (${count(parked.records)} records)`;
  return [
    ...(alike > 0 ? [`${count(alike)} streams are parked on both sides alike`] : []),
    ...differences.map(
      (one) =>
        `stream ${one.stream} of partition ${one.partition}: ${left} ${from(one.left)}, ${right} ${from(one.right)}`,
    ),
  ];
}

function showColumns({ columns, leftRows, rightRows, older }: TableComparison, { left, right }: SideNames): string {
  if (leftRows === null || rightRows === null) return '';
  return [
    ...columns.onlyLeft.map((name) => `${name} only ${left}`),
    ...columns.onlyRight.map((name) => `${name} only ${right}`),
    ...columns.retyped.map((name) => `${name} of another type`),
    ...(older > 0 ? [`${count(older)} rows in an older shape mean the same`] : []),
  ].join(', ');
}

export function showRow({ table, key, left, right, changed }: RowDifference, names: SideNames): string {
  const { room_id: _, ...rest } = key;
  const where = [table, ...Object.entries(rest).map(([name, value]) => `${name}=${value}`)].join(' ');
  if (left === null || right === null) {
    const [there, row] = left === null ? [names.right, right] : [names.left, left];
    return `${where}: only ${there}: ${shorten(JSON.stringify(row))}`;
  }
  const cells = changed.map(
    (column) => `${column} ${names.left} ${cell(left, column)}, ${names.right} ${cell(right, column)}`,
  );
  return `${where}: ${cells.join('; ')}`;
}

function cell(row: Row, column: string): string {
  return shorten(JSON.stringify(row[column]));
}

function shorten(text: string | undefined): string {
  const characters = [...(text ?? 'absent')];
  return characters.length > MAX_VALUE_CHARACTERS
    ? `${characters.slice(0, MAX_VALUE_CHARACTERS).join('')}…`
    : characters.join('');
}
