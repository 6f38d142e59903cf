// THE CHECKER: after a run of clients against a system that was killed, frozen and cut, it decides whether anything was lost,
// doubled, reordered or leaked. It shares no reader and no fold with the product; docs/spec/faults.md says what it holds to.
// The run has to be over and quiet: everything projected, every frame delivered, nobody writing any more.
import { checkCache } from './check-cache.ts';
import { CommandCheck, type CommandCounts } from './check-commands.ts';
import { SocketCheck, type SocketCounts } from './check-sockets.ts';
import { checkTables } from './check-tables.ts';
import { type FoldedLog, foldLog } from './folded-log.ts';
import type { HistoryEntry } from './history.ts';
import { readHistory } from './history-file.ts';
import { type RedisPlace, withCache } from './read-cache.ts';
import { type LogPlace, readLog } from './read-log.ts';
import { type HistorySchemas, LIVE_SCHEMAS, withTables } from './read-tables.ts';
import { SeenVersions } from './seen-versions.ts';
import { type Check, type Violation, Violations } from './violations.ts';

export type RunToCheck = {
  historyFile: string;
  log: LogPlace;
  /** Where the history is. */
  databaseUrl: string;
  /** Null where the hot cache was in the process. */
  redis: RedisPlace | null;
  /** Others in tests. */
  schemas?: HistorySchemas;
};

export type HistoryCounts = CommandCounts & SocketCounts & { faults: number };
export type Report = HistoryCounts & {
  /** In the log. */
  events: number;
  /** The first ones of each check. */
  violations: Violation[];
  /** How many there were of each check. */
  violationsByCheck: Partial<Record<Check, number>>;
};

/** Throws where something cannot be read; what is read and wrong is in the report. */
export async function checkRun(run: RunToCheck): Promise<Report> {
  const violations = new Violations();
  const log = foldLog(await readLog(run.log), violations);
  const counts = await checkHistory(readHistory(run.historyFile), log, violations);
  await withTables(run.databaseUrl, run.schemas ?? LIVE_SCHEMAS, (tables) => checkTables(log, tables, violations));
  if (run.redis !== null) await withCache(run.redis, (cache) => checkCache(log, cache, violations));
  return {
    ...counts,
    events: log.events.length,
    violations: violations.kept,
    violationsByCheck: Object.fromEntries(violations.countByCheck),
  };
}

/** Holds what clients saw against the log, in one pass over the history. */
export async function checkHistory(
  entries: AsyncIterable<HistoryEntry> | Iterable<HistoryEntry>,
  log: FoldedLog,
  violations: Violations,
): Promise<HistoryCounts> {
  const seen = new SeenVersions();
  const commands = new CommandCheck(log, seen, violations);
  const sockets = new SocketCheck(log, seen, violations);
  let faults = 0;
  for await (const entry of entries) {
    commands.see(entry);
    sockets.see(entry);
    if (entry.kind === 'fault' && entry.phase === 'begin') faults += 1;
  }
  commands.finish();
  sockets.finish();
  if (commands.counts.accepted === 0) violations.add('history', 'nothing was accepted, so nothing was tried', {});
  return { ...commands.counts, ...sockets.counts, faults };
}

const MAX_DETAILS_CHARACTERS = 600;

/** For people: the counts, the verdict, and the first violations of each check. */
export function formatReport(report: Report): string {
  const { violations, violationsByCheck, ...counts } = report;
  const lines = [
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', '),
  ];
  const broken = Object.entries(violationsByCheck);
  if (broken.length === 0) lines.push('No violation found.');
  else lines.push(`VIOLATIONS: ${broken.map(([check, count]) => `${count} of ${check}`).join(', ')}`);
  for (const { check, message, details } of violations) {
    const text = JSON.stringify(details);
    const isCut = text.length > MAX_DETAILS_CHARACTERS;
    lines.push(`- ${check}: ${message}`, `    ${text.slice(0, MAX_DETAILS_CHARACTERS)}${isCut ? ' …' : ''}`);
  }
  return `${lines.join('\n')}\n`;
}
