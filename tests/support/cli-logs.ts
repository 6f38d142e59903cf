// Logs that a program started by a test works on too: with the settings by which it finds them.

import assert from 'node:assert/strict';
import type { Codec } from '../../event-log/codec/codec.ts';
import { toEventLogSettings } from '../../event-log/config.ts';
import type { EventLog } from '../../event-log/event-log.ts';
import { openEventLog } from '../../event-log/open-event-log.ts';
import { partitionOf } from '../../event-log/partition-of.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { made, roomHistory } from './chat-events.ts';
import { createFreshDatabase } from './fresh-database.ts';
import { silent } from './history-harness.ts';
import { freshTopic, withKafkaAdmin } from './kafka-harness.ts';
import { type ReplaySettings, runReplay } from './replay-cli.ts';
import { stackEnv } from './stack-env.ts';

export type CliLog = {
  log: EventLog;
  codec: Codec;
  settings: ReplaySettings;
  /** The events at the heads of the partitions that their streams belong to. */
  append(events: readonly ChatEvent[]): Promise<void>;
  /** Closes the log and drops it. */
  close(): Promise<void>;
};

/** A log of one kind for each test that asks, and the verb run on it; all are closed and dropped by `close`. */
export function openCliLogs(kind: keyof typeof cliLogs): {
  open(partitions?: number): Promise<CliLog>;
  close(): Promise<void>;
} {
  let opened: CliLog[] = [];
  return {
    async open(partitions = 2) {
      const one = await cliLogs[kind](partitions);
      opened.push(one);
      return one;
    },
    async close() {
      for (const one of opened) await one.close();
      opened = [];
    },
  };
}

/** It was not done, for a reason that one line says, and there is no result. */
export async function assertRefused(
  exit: number,
  pattern: RegExp,
  args: string[],
  settings: ReplaySettings,
): Promise<void> {
  const end = await runReplay(args, settings);
  assert.deepEqual([end.exit, end.stdout], [exit, ''], end.stderr);
  assert.match(end.stderr, pattern);
  assert.match(end.stderr, /^replay: .*\n$/m);
}

/** Four events in each room. */
export function historyOfRooms(rooms: readonly string[]): ChatEvent[] {
  return rooms.flatMap((roomId) => {
    const room = roomHistory(roomId);
    return [
      room.next('ada', made.room()),
      room.next('bob', made.joined('bob')),
      room.next('bob', made.said('hello')),
      room.next('ada', made.said('welcome')),
    ];
  });
}

const COMMON = { LOG_REPLICATION: 1, OWNER_SESSION_MS: 6_000 };

const cliLogs: Record<'PostgreSQL' | 'Kafka', (partitions: number) => Promise<CliLog>> = {
  PostgreSQL: async (partitions) => {
    const database = await createFreshDatabase(stackEnv.databaseUrl(), 'cli_log');
    const env = { ...COMMON, LOG_TOPIC: 'chat.events', LOG_PARTITIONS: partitions };
    const settings = { DATABASE_URL: database.url, KAFKA_BROKERS: undefined, LOG_PARTITIONS: String(partitions) };
    const opened = await openEventLog(toEventLogSettings(env, database.url), { logger: silent, clientId: 'test' });
    return withHands(opened, settings, () => database.drop());
  },
  Kafka: async (partitions) => {
    const topic = freshTopic();
    const kafka = {
      KAFKA_BROKERS: stackEnv.kafkaBrokers().join(','),
      SCHEMA_REGISTRY_URL: stackEnv.schemaRegistryUrl(),
    };
    const env = { ...COMMON, ...kafka, LOG_TOPIC: topic, LOG_PARTITIONS: partitions };
    // Nothing but the log may be needed.
    const settings = {
      ...kafka,
      LOG_TOPIC: topic,
      LOG_PARTITIONS: String(partitions),
      DATABASE_URL: 'postgres://127.0.0.1:9/none',
    };
    const opened = await openEventLog(toEventLogSettings(env, undefined), { logger: silent, clientId: 'test' });
    return withHands(opened, settings, () => withKafkaAdmin((admin) => admin.deleteTopics({ topics: [topic] })));
  },
};

function withHands(
  { log, codec }: { log: EventLog; codec: Codec },
  settings: ReplaySettings,
  drop: () => Promise<void>,
): CliLog {
  return {
    log,
    codec,
    settings,
    async append(events) {
      for (const event of events) {
        const key = event.metadata.stream;
        const partition = partitionOf(key, log.partitions);
        await log.append(partition, await log.head(partition), [{ key, value: codec.encode(event) }]);
      }
    },
    async close() {
      await log.close();
      await drop();
    },
  };
}
