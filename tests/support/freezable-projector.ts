// A process of its own that writes one chunk of two events into the history, and can be frozen in the middle of its transaction: it
// says so, then waits to be told to go on. What becomes of the chunk it says, too. Arguments: the two schemas, then the URL.
import { once } from 'node:events';
import { openCodec } from '../../event-log/codec/codec.ts';
import { folderSchemas } from '../../event-log/codec/folder-schemas.ts';
import { systemClock } from '../../platform/clock.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { decodeWith } from '../../projections/decode-records.ts';
import { createHistoryProjection } from '../../projections/history/history-projection.ts';
import { createProjectionMetrics } from '../../projections/metrics.ts';
import { openProjectionsDatabase } from '../../projections/open-projections-database.ts';
import { PostgresSink } from '../../projections/postgres-sink.ts';
import type { WriteOutcome } from '../../projections/sink.ts';
import { made, roomHistory } from './chat-events.ts';
import { silent, toChunk, toRecords } from './history-harness.ts';

export type FreezableAnswer = { kind: 'in the middle' } | { kind: 'outcome'; outcome: WriteOutcome; attempts: number };

const [historySchema = '', bookkeepingSchema = '', databaseUrl = ''] = process.argv.slice(2);
const db = openProjectionsDatabase(databaseUrl, silent);
const codec = await openCodec(folderSchemas());
const history = createHistoryProjection(historySchema);
let writes = 0;
const sink = new PostgresSink({
  db,
  projection: {
    ...history,
    async write(tx, events) {
      await history.write(tx, events);
      writes += 1;
      if (writes > 1) return;
      say({ kind: 'in the middle' });
      await once(process, 'message');
    },
  },
  prepare: async () => undefined,
  bookkeepingSchema,
  partitions: 2,
  decode: decodeWith(codec),
  clock: systemClock,
  logger: silent,
  metrics: createProjectionMetrics(createMetrics()),
  maxParkedStreams: 10,
});
await sink.load([0]);
const room = roomHistory('red');
const events = [room.next('zombie', made.room()), room.next('zombie', made.said('from the grave'))];
const chunk = toChunk(toRecords(codec, events), 0);
for (let attempts = 1; ; attempts++) {
  try {
    say({ kind: 'outcome', outcome: await sink.write(chunk), attempts });
    break;
  } catch (error) {
    if (!(error instanceof Error && 'retryable' in error && error.retryable === true)) throw error;
  }
}
await db.destroy();
process.disconnect();

function say(answer: FreezableAnswer): void {
  process.send?.(answer);
}
