// `versions`: the versions of a projection that are there side by side, which of them is live, and moving that by hand.
import type { Command } from 'commander';
import { systemClock } from '../../../platform/clock.ts';
import { queryRows } from '../../../platform/sql.ts';
import {
  BOOKKEEPING_SCHEMA,
  bookkeepingTables,
  HISTORY_PROJECTION,
  historyKeyOf,
  historySchemaOf,
} from '../../../projections/history/tables.ts';
import { dropVersion, eventsBehind, loadLiveVersion, moveLiveVersion } from '../../../projections/live-version.ts';
import type { Cli } from '../cli.ts';
import { countOption } from '../count-option.ts';
import { EXIT, type Exit, RefusedError, UsageError } from '../exits.ts';
import { openHistory } from '../open-history.ts';
import { table } from '../output.ts';

const MAX_VERSION = 1_000_000;

export function addVersions(program: Command, cli: Cli): void {
  const versions = program
    .command('versions')
    .description('versions of a projection side by side, and which of them is live');
  versions
    .command('show')
    .description('every version that is there, and how far it is')
    .argument('<projection>', 'history')
    .action((name: string) => cli.run(() => show(cli, name)));
  versions
    .command('flip')
    .description('makes a version live that has every event that the live one has')
    .argument('<projection>', 'history')
    .requiredOption('--to <version>', 'its number', countOption(1, MAX_VERSION))
    .action((name: string, { to }: { to: number }) => cli.run(() => flip(cli, name, to)));
  versions
    .command('drop')
    .description('removes a version that is not live')
    .argument('<projection>', 'history')
    .requiredOption('--version <version>', 'its number', countOption(1, MAX_VERSION))
    .action((name: string, { version }: { version: number }) => cli.run(() => drop(cli, name, version)));
}

async function show(cli: Cli, name: string): Promise<Exit> {
  checkName(name);
  const { db, tables } = await openHistory(cli.resources());
  const live = await loadLiveVersion(db, tables, name);
  const versions = [];
  for (const version of await versionsThere(cli)) {
    const behind = live === null ? null : await eventsBehind(db, tables, historyKeyOf(version), live.version);
    versions.push({ version, state: stateOf(version, live?.version), eventsBehindLive: behind });
  }
  const rows = versions.map((one) => [one.version, one.state, one.eventsBehindLive ?? '-'] as const);
  cli.out.result(
    { projection: name, live: live?.version ?? null, automaticAbove: live?.automaticAbove ?? null, versions },
    table(['version', 'state', 'behind the live one'], rows),
  );
  return EXIT.done;
}

async function flip(cli: Cli, name: string, to: number): Promise<Exit> {
  checkName(name);
  const { db, tables } = await openHistory(cli.resources());
  if (!(await versionsThere(cli)).includes(to)) throw new UsageError(`there is no version ${to} of ${name}`);
  const outcome = await moveLiveVersion(db, tables, historyKeyOf(to), { automatic: false, atMs: systemClock.now() });
  switch (outcome.kind) {
    case 'refused':
      throw new RefusedError(outcome.reason);
    case 'unchanged':
      cli.out.result({ projection: name, live: outcome.live, outcome: 'unchanged' }, `version ${to} is live already`);
      return EXIT.done;
    case 'moved':
      cli.out.result(
        { projection: name, live: to, before: outcome.from, outcome: 'moved' },
        `version ${to} is live; before it was version ${outcome.from}`,
      );
      return EXIT.done;
  }
}

async function drop(cli: Cli, name: string, version: number): Promise<Exit> {
  checkName(name);
  const { db, tables } = await openHistory(cli.resources());
  if (!(await versionsThere(cli)).includes(version)) throw new UsageError(`there is no version ${version} of ${name}`);
  await dropVersion(db, tables, historyKeyOf(version), historySchemaOf(version));
  cli.out.result({ projection: name, version, outcome: 'dropped' }, `version ${version} is gone`);
  return EXIT.done;
}

function stateOf(version: number, live: number | undefined): string {
  if (version === live) return 'live';
  return live !== undefined && version < live ? 'older' : 'being made, or not taken over yet';
}

/** Those that have checkpoints, the oldest first. */
async function versionsThere(cli: Cli): Promise<number[]> {
  const { checkpoints } = bookkeepingTables(BOOKKEEPING_SCHEMA);
  const rows = await queryRows<{ version: number }>(
    await cli.resources().db(),
    `select distinct version from ${checkpoints} where projection = ? order by version`,
    [HISTORY_PROJECTION.name],
  );
  return rows.map(({ version }) => version);
}

function checkName(name: string): void {
  if (name === HISTORY_PROJECTION.name) return;
  throw new UsageError(`there is no projection ${name} that has versions: only ${HISTORY_PROJECTION.name}`);
}
