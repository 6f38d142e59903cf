// Snapshots on the real servers: an owner that is gone without a word, and one that takes over.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, it } from 'mocha';
import pg from 'pg';
import { until } from '../event-log/contract/log-probe.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { openKafkaEventLog } from '../event-log/kafka/kafka-event-log.ts';
import { openKafkaSnapshotStore } from '../event-log/kafka/kafka-snapshot-store.ts';
import { snapshotTopicOf } from '../event-log/open-snapshot-store.ts';
import { openPostgresEventLog } from '../event-log/postgres/postgres-event-log.ts';
import { openPostgresSnapshotStore } from '../event-log/postgres/postgres-snapshot-store.ts';
import type { SnapshotStore } from '../event-log/snapshot-store.ts';
import { createLogger } from '../platform/logger.ts';
import { systemTime } from '../platform/time.ts';
import type { Command } from '../schemas/commands.ts';
import { ADA, command } from '../tests/support/given-when-then.ts';
import { freshTopic, kafkaOptions, withKafkaAdmin } from '../tests/support/kafka-harness.ts';
import { contentOfState } from '../tests/support/partition-content.ts';
import { stackEnv } from '../tests/support/stack-env.ts';
import { mustAccept, openOwner, testCodec } from '../tests/support/write-side.ts';
import { type LoadedPartition, PartitionLoader } from './partition/load-partition.ts';

type Real = { openLog: () => Promise<EventLog>; openStore: () => Promise<SnapshotStore>; drop: () => Promise<void> };

const logger = createLogger('test', 'silent');
const ROOMS = 20;
const EVERY = 100;

describeSnapshots('PostgreSQL', () => {
  const databaseUrl = stackEnv.databaseUrl();
  const schema = `log_test_${randomBytes(6).toString('hex')}`;
  return {
    openLog: () => openPostgresEventLog({ databaseUrl, schema, partitions: 1, logger }),
    openStore: () => openPostgresSnapshotStore({ databaseUrl, schema, logger }),
    drop: async () => {
      const client = new pg.Client(databaseUrl);
      await client.connect();
      await client.query(`drop schema ${schema} cascade`);
      await client.end();
    },
  };
});

describeSnapshots('Kafka', () => {
  const topic = `${freshTopic()}.events`;
  return {
    openLog: () => openKafkaEventLog(kafkaOptions(topic, 1)),
    openStore: () => openKafkaSnapshotStore(kafkaOptions(snapshotTopicOf(topic), 1)),
    drop: () => withKafkaAdmin((admin) => admin.deleteTopics({ topics: [topic, snapshotTopicOf(topic)] })),
  };
});

function describeSnapshots(name: string, real: () => Real): void {
  describe(`snapshots on ${name}`, () => {
    let servers: Real;
    const opened: { close(): Promise<void> }[] = [];

    beforeEach(() => {
      servers = real();
    });

    afterEach(async () => {
      await Promise.all(opened.splice(0).map((one) => one.close()));
      await servers.drop();
    });

    async function open() {
      const both = { log: await servers.openLog(), store: await servers.openStore() };
      opened.push(both.log, both.store);
      return both;
    }

    async function load(snapshots: SnapshotStore | null, log: EventLog): Promise<LoadedPartition> {
      const onBroken = (stream: string, reason: string) => assert.fail(`${stream}: ${reason}`);
      const { signal } = new AbortController();
      const deps = { log, codec: testCodec, snapshots, partition: 0, onBroken, logger, time: systemTime, signal };
      return await new PartitionLoader(deps).load();
    }

    it('SNAP-10 who takes over from an owner that was killed has the same state from a snapshot as from the log', async () => {
      const first = await open();
      const killed = await openOwner(first.log, { snapshots: first.store, eventsPerSnapshot: EVERY });
      const wishes = Array.from({ length: 40 * ROOMS }, (_, index) => wishOf(index));
      for (let at = 0; at < wishes.length; at += ROOMS) {
        for (const answer of await Promise.all(wishes.slice(at, at + ROOMS).map(killed.execute))) mustAccept(answer);
      }
      const done = { outcome: 'done' };
      await until('there are rounds', async () => (await killed.metric('roomlog_commands_snapshot_seconds', done)) > 1);
      // It is gone without having written anything more; what was on its way may still arrive.
      await first.store.close();

      const second = await open();
      const fromSnapshot = await load(second.store, second.log);
      assert.ok(fromSnapshot.snapshot !== null && fromSnapshot.snapshot.events > 0);
      const fromLog = await load(null, second.log);
      assert.deepEqual(contentOfState(fromSnapshot.state), contentOfState(fromLog.state));

      const next = await openOwner(second.log, { snapshots: second.store, eventsPerSnapshot: EVERY });
      const again = mustAccept(await next.execute(wishes[30] ?? assert.fail()));
      assert.deepEqual(again, mustAccept(await killed.execute(wishes[30] ?? assert.fail())));
      mustAccept(await next.execute(wishOf(wishes.length)));
      await next.stop();
      await killed.stop();
      const third = await open();
      const { state, snapshot } = await load(third.store, third.log);
      assert.equal(snapshot?.events, state.events);
      assert.deepEqual(contentOfState(state), contentOfState((await load(null, third.log)).state));
    });
  });
}

/** The first of a room makes it, the next ones join it, then they speak. */
function wishOf(index: number): Command {
  const roomId = `room ${index % ROOMS}`;
  const round = Math.floor(index / ROOMS);
  const user = { userId: `user ${round}`, username: `User ${round}` };
  if (round === 0) {
    return command(ADA, { type: 'CreateRoom', roomId, spaceId: 's', name: 'n', description: '', isPrivate: false });
  }
  if (round < 10) return command(user, { type: 'JoinRoom', roomId });
  const messageId = `0199c0de-0000-7000-8000-${String(index).padStart(12, '0')}`;
  return command(ADA, { type: 'SendMessage', roomId, messageId, text: 'hi', replyTo: null, originalTime: null });
}
