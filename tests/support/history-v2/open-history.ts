// The history as a build of one or two versions leaves it behind: followed to the head of the log, then stopped.
import assert from 'node:assert/strict';
import type { Codec } from '../../../event-log/codec/codec.ts';
import { until } from '../../../event-log/contract/log-probe.ts';
import type { EventLog } from '../../../event-log/event-log.ts';
import { everythingOurs } from '../../../event-log/ownership/sole-ownership.ts';
import { systemClock } from '../../../platform/clock.ts';
import { Lifecycle } from '../../../platform/lifecycle.ts';
import { createMetrics } from '../../../platform/metrics.ts';
import { openDatabase } from '../../../platform/postgres.ts';
import { openProjectionsRole } from '../../../projections/role.ts';
import { runSql } from '../fresh-database.ts';
import { silent } from '../history-harness.ts';
import { VERSION_1, VERSION_2 } from './versions.ts';

export async function openHistoryOfVersions(options: {
  databaseUrl: string;
  log: EventLog;
  codec: Codec;
  newest: number;
}): Promise<void> {
  const { databaseUrl, log, codec, newest } = options;
  const db = openDatabase({ url: databaseUrl, poolMax: 6, applicationName: 'versions' }, silent);
  const lifecycle = new Lifecycle({ log: silent, onFailure: () => assert.fail('a part failed') });
  await openProjectionsRole({
    settings: { chunkRecords: 100, maxParkedStreams: 10, takeover: 'manual' },
    lifecycle,
    logger: silent,
    metrics: createMetrics(),
    eventLog: log,
    codec,
    db,
    cache: null,
    openOwnership: everythingOurs(log),
    openVerifyingDb: () => assert.fail('it does not take over by itself'),
    clock: systemClock,
    historyVersions: [VERSION_1, VERSION_2].slice(0, newest),
  });
  await until('it is at the head', async () => {
    const [there] = await runSql(databaseUrl, `select to_regclass('history_v${newest}.rooms') as name`);
    if (there?.name === null) return false;
    const rows = await runSql(
      databaseUrl,
      `select partition, next_offset from roomlog.projection_checkpoints where version = ${newest} order by partition`,
    );
    const heads = await Promise.all(rows.map(({ partition }) => log.head(Number(partition))));
    return rows.length === log.partitions && rows.every((row, at) => Number(row.next_offset) === heads[at]);
  });
  await lifecycle.stop();
  await db.destroy();
}
