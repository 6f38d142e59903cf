// Every version of the history that this build can keep, the oldest first. Readers have their list of the same numbers in tables.ts.
//
// A new version is a new entry here and a new number there; the old one stays as long as builds that know only that are running, or
// may come back. The newest is made beside the live one and takes over (../live-version.ts); nothing that is live is touched.
import type { TableProjection } from '../table-projection.ts';
import { createHistoryProjection } from './history-projection.ts';
import { HISTORY_VERSION_NUMBERS } from './tables.ts';

export type HistoryVersion = {
  version: number;
  /** SQL that makes the tables, without schema names. */
  tablesFile: URL;
  /** The fold into the tables of a schema. Its name is `history`, its version this one. */
  createProjection(schema: string): TableProjection;
};

export const TABLES_FILE = new URL('./create-tables.sql', import.meta.url);

const BY_NUMBER: Record<(typeof HISTORY_VERSION_NUMBERS)[number], Omit<HistoryVersion, 'version'>> = {
  1: { tablesFile: TABLES_FILE, createProjection: (schema) => createHistoryProjection(schema) },
};

export const HISTORY_VERSIONS: readonly HistoryVersion[] = HISTORY_VERSION_NUMBERS.map((version) => ({
  version,
  ...BY_NUMBER[version],
}));
