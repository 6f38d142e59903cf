// Names of the tables that the history projection writes and the readers read: all that the two sides share.

/** The versions of the history that this build knows, the oldest first; projections/history/versions.ts says what they are. */
export const HISTORY_VERSION_NUMBERS = [1] as const;
/** A projection of another shape gets another schema and is filled from the log; tables are never altered in place. */
export const HISTORY_SCHEMA = 'history_v1';
export const HISTORY_PROJECTION = { name: 'history', version: 1 } as const;
/** Where every projection in PostgreSQL keeps how far it is and what it has parked. */
export const BOOKKEEPING_SCHEMA = 'roomlog';

export type HistoryTables = Record<'rooms' | 'memberships' | 'invitations' | 'messages' | 'roomEvents', string>;
export type BookkeepingTables = Record<
  'checkpoints' | 'parkedStreams' | 'parkedRecords' | 'discardedRecords' | 'builds' | 'live',
  string
>;

/** Where the tables of a version of the history are, and under which key the bookkeeping has it. */
export function historySchemaOf(version: number): string {
  return `history_v${version}`;
}

export function historyKeyOf(version: number): { name: string; version: number } {
  return { name: HISTORY_PROJECTION.name, version };
}

/** Quoted names, ready to be put into a statement. */
export function historyTables(schema: string): HistoryTables {
  const inSchema = tableIn(schema);
  return {
    rooms: inSchema('rooms'),
    memberships: inSchema('memberships'),
    invitations: inSchema('invitations'),
    messages: inSchema('messages'),
    roomEvents: inSchema('room_events'),
  };
}

export function bookkeepingTables(schema: string): BookkeepingTables {
  const inSchema = tableIn(schema);
  return {
    checkpoints: inSchema('projection_checkpoints'),
    parkedStreams: inSchema('parked_streams'),
    parkedRecords: inSchema('parked_records'),
    discardedRecords: inSchema('discarded_records'),
    builds: inSchema('projection_builds'),
    live: inSchema('projection_live'),
  };
}

/** Schema names come from our own settings and tests, never from users; anything but a plain name is a mistake there. */
function tableIn(schema: string): (table: string) => string {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) throw new RangeError(`${schema} is not a plain schema name`);
  return (table) => `"${schema}"."${table}"`;
}
