// Every version of the history that this build declares, each followed by a projector of its own. The newest is made where it is not
// there; an older one is kept up where it is, for the readers of builds that know nothing newer, until it is dropped.
import type { ReadyChecks } from '../../platform/http-app.ts';
import type { Logger } from '../../platform/logger.ts';
import { labelOf } from '../checkpoints.ts';
import { noteOf, Projector, type ProjectorOptions } from '../projector.ts';
import { Takeover, type TakeoverMode } from '../takeover.ts';
import { type HistorySinkDeps, openHistorySink, openOlderHistorySink, VersionGoneError } from './open-history-sink.ts';
import { BOOKKEEPING_SCHEMA, bookkeepingTables, historyKeyOf, historySchemaOf } from './tables.ts';
import type { HistoryVersion } from './versions.ts';

export type HistoryVersionsDeps = {
  /** Oldest first, at least one. */
  versions: readonly HistoryVersion[];
  takeover: TakeoverMode;
  /** For the takeover `verified`, see there. */
  verify: (version: HistoryVersion, signal: AbortSignal) => Promise<boolean | null>;
  sink: Omit<HistorySinkDeps, 'historySchema' | 'bookkeepingSchema' | 'version'>;
  projector: Omit<ProjectorOptions, 'name' | 'sink' | 'partitions'>;
};

export type HistoryVersions = {
  /** Oldest first. Each has no partitions before it is assigned some. */
  versions: readonly { version: number; projector: Projector }[];
  ready: ReadyChecks;
  /** What runs, by the name that it has in logs. */
  parts: Record<string, { run(): Promise<void>; stop(): Promise<void> }>;
};

/** Nothing runs yet. */
export function openHistoryVersions(deps: HistoryVersionsDeps): HistoryVersions {
  const newest = deps.versions.at(-1);
  if (newest === undefined) throw new RangeError('this build declares no version of the history');
  const kept = deps.versions.map((version) => keep(deps, version, version === newest));
  const takeover = new Takeover({
    ...deps.sink,
    tables: bookkeepingTables(BOOKKEEPING_SCHEMA),
    newest: historyKeyOf(newest.version),
    mode: deps.takeover,
    verify: (signal) => deps.verify(newest, signal),
  });
  /** The one that readers of this build read now; the newest before that is known. */
  const read = () => kept.findLast(({ version }) => version <= (takeover.live ?? newest.version)) ?? kept.at(-1);
  const others = () => kept.filter((one) => one !== read() && !one.isGone());
  const parts = Object.fromEntries(kept.map(({ label, part }) => [`${label} projection`, part]));
  const isAlone = kept.length === 1;
  return {
    versions: kept,
    ready: {
      'history projection': () => read()?.projector.check(),
      'parked streams': () => {
        const parked = kept.reduce((sum, { sink }) => sum + sink.parkedStreams, 0);
        return parked > 0 ? `parked streams: ${parked}` : undefined;
      },
      ...(isAlone ? {} : { 'history versions': () => noteOfOthers(others()) ?? takeover.note() }),
    },
    parts: isAlone ? parts : { ...parts, 'history takeover': takeover },
  };
}

type KeptVersion = ReturnType<typeof keep>;

function keep(deps: HistoryVersionsDeps, declared: HistoryVersion, isNewest: boolean) {
  const { version } = declared;
  const label = labelOf(historyKeyOf(version));
  const where = { historySchema: historySchemaOf(version), bookkeepingSchema: BOOKKEEPING_SCHEMA, version: declared };
  const sink = isNewest
    ? openHistorySink({ ...deps.sink, ...where })
    : openOlderHistorySink({ ...deps.sink, ...where });
  const projector = new Projector({ ...deps.projector, name: label, sink, partitions: [] });
  const older = isNewest ? null : new OlderVersion(projector, label, deps.sink.logger);
  return { version, label, sink, projector, part: older ?? projector, isGone: () => older?.isGone ?? false };
}

/** That an older version is not there, or goes, is no failure: nobody of this build needs it then. */
class OlderVersion {
  readonly #projector: Projector;
  readonly #label: string;
  readonly #logger: Logger;
  readonly #stopped = Promise.withResolvers<void>();
  #isGone = false;

  constructor(projector: Projector, label: string, logger: Logger) {
    this.#projector = projector;
    this.#label = label;
    this.#logger = logger;
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  async run(): Promise<void> {
    try {
      await this.#projector.run();
    } catch (error) {
      if (!isVersionGone(error)) throw error;
      this.#isGone = true;
      this.#logger.info({ projection: this.#label, reason: error.message }, 'an older version is not kept up');
      await this.#stopped.promise;
    }
  }

  async stop(): Promise<void> {
    this.#stopped.resolve();
    await this.#projector.stop();
  }
}

/** As the projector finds out when it loads, or when the tables go while it writes. */
function isVersionGone(error: unknown): error is Error {
  if (error instanceof VersionGoneError) return true;
  return error instanceof Error && 'code' in error && (error.code === '42P01' || error.code === '3F000');
}

function noteOfOthers(others: readonly KeptVersion[]): string | undefined {
  for (const { label, projector } of others) {
    const note = noteOf(projector);
    if (note !== undefined) return `${label}: ${note}`;
  }
  return undefined;
}
