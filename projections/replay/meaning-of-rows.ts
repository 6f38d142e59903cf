// Rows that hold whole events stay as they were written, so those of an earlier build have the shape that events had then. Readers get
// them in today's shape, and a fold of today writes them so: the two mean the same.
import { isDeepStrictEqual } from 'node:util';
import { type EventOfAnyBuild, readStoredEvent } from '../../event-log/codec/upcast.ts';

/** A row as JSON has it. */
export type Row = Record<string, unknown>;

const TABLES_OF_EVENTS = ['room_events'];

export function mayBeOlder(table: string): boolean {
  return TABLES_OF_EVENTS.includes(table);
}

/** Whether both rows are there and read the same. */
export function meansTheSame(table: string, left: Row | null, right: Row | null): boolean {
  if (!mayBeOlder(table) || left === null || right === null) return false;
  return isDeepStrictEqual(inTodaysShape(left), inTodaysShape(right));
}

function inTodaysShape(row: Row): Row {
  // A damaged row may hold anything.
  return isEvent(row.event) ? { ...row, event: readStoredEvent(row.event) } : row;
}

function isEvent(value: unknown): value is EventOfAnyBuild {
  return typeof value === 'object' && value !== null && 'type' in value && 'metadata' in value;
}
