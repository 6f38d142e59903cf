// The topics and the settings without which their guarantees do not hold. A topic is created with them where it is missing, and
// refused where they are wrong: somebody chose them, and changing them silently might destroy what that somebody relies on.

import type { Socket } from 'node:net';
import kafkajs, { type Admin } from 'kafkajs';
import { LogSettingsError } from '../event-log.ts';
import { MAX_BATCH_BYTES } from './kafka-appender.ts';
import type { ConnectionOptions } from './kafka-connections.ts';
import { destroySockets, socketFactory } from './kafkajs-guards.ts';
import { MAX_SNAPSHOT_BATCH_BYTES } from './snapshot-batch.ts';

/** What a topic is for decides the settings that it must have. */
export type TopicUse = 'events' | 'snapshots';

export type WantedTopic = { topic: string; use: TopicUse; partitions: number; replicationFactor: number };

export type FoundTopic = {
  partitions: number;
  /** Replicas of the partition that has the fewest. */
  replicationFactor: number;
  settings: ReadonlyMap<string, string>;
};

const MIB = 1024 * 1024;

type Requirement = { create: string; wanted: string; holds: (value: string) => boolean; why: string };

/** Creates the topic if there is none, and checks it. Throws LogSettingsError, or kafkajs' errors where Kafka cannot be reached. */
export async function ensureTopic(wanted: WantedTopic, options: ConnectionOptions): Promise<void> {
  const sockets = new Set<Socket>();
  const kafka = new kafkajs.Kafka({
    clientId: options.clientId,
    brokers: [...options.brokers],
    connectionTimeout: options.connectTimeoutMs,
    authenticationTimeout: options.connectTimeoutMs,
    requestTimeout: 10_000,
    enforceRequestTimeout: true,
    retry: { retries: 1, initialRetryTime: 100, maxRetryTime: 200 },
    socketFactory: socketFactory(sockets, options.route),
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    await createIfMissing(admin, wanted);
    const wrong = whatIsWrong(wanted, await describeTopic(admin, wanted.topic));
    if (wrong.length > 0) {
      throw new LogSettingsError(`the topic ${wanted.topic} must not be used as it is:\n- ${wrong.join('\n- ')}`);
    }
  } finally {
    // At once, because a graceful disconnect waits for answers, and there is nothing left to be answered.
    destroySockets(sockets, 'the administrative connection is done');
  }
}

/** Everything that is wrong with the topic, one sentence each; empty when it can be used. */
export function whatIsWrong(wanted: WantedTopic, found: FoundTopic): string[] {
  const wrong: string[] = [];
  if (found.partitions !== wanted.partitions) {
    // Streams are put into partitions by the number of these, so another number would tear them apart.
    wrong.push(`it has ${found.partitions} partitions, wanted ${wanted.partitions}: streams would change partitions`);
  }
  if (found.replicationFactor < wanted.replicationFactor) {
    wrong.push(`it has ${found.replicationFactor} replicas, wanted ${wanted.replicationFactor}`);
  }
  for (const [name, requirement] of requirements(wanted)) {
    const value = found.settings.get(name) ?? 'unknown';
    if (!requirement.holds(value)) wrong.push(`${name} is ${value}, wanted ${requirement.wanted}: ${requirement.why}`);
  }
  return wrong;
}

function requirements({ use, replicationFactor }: WantedTopic): Map<string, Requirement> {
  const inSync = replicationFactor >= 2 ? 2 : 1;
  return new Map([
    ['unclean.leader.election.enable', exactly('false', 'what was acknowledged would be lost')],
    ['compression.type', exactly('uncompressed', 'every reader must be able to read every batch')],
    ['min.insync.replicas', atLeast(inSync, inSync, 'one broken disk would lose what was acknowledged')],
    ...(use === 'events' ? EVENT_REQUIREMENTS : SNAPSHOT_REQUIREMENTS),
  ]);
}

const EVENT_REQUIREMENTS: readonly [string, Requirement][] = [
  ['cleanup.policy', exactly('delete', 'compaction would remove events')],
  ['retention.ms', exactly('-1', 'events are kept for ever')],
  ['retention.bytes', exactly('-1', 'events are kept for ever')],
  ['message.timestamp.type', exactly('LogAppendTime', 'times must be those of the log')],
  ['max.message.bytes', atLeast(MAX_BATCH_BYTES, 2 * MAX_BATCH_BYTES, 'the largest append must fit')],
];

/**
 * Who gains a partition reads all of its snapshot topic. What compaction has not removed yet is read for nothing: the segment that
 * is written, which is never compacted, and of the others at most a third before the broker's cleaner takes them up.
 */
const SNAPSHOT_REQUIREMENTS: readonly [string, Requirement][] = [
  ['cleanup.policy', exactly('compact', 'the newest value of every key is kept, and only that')],
  [
    'max.message.bytes',
    atLeast(MAX_SNAPSHOT_BATCH_BYTES, 2 * MAX_SNAPSHOT_BATCH_BYTES, 'the largest snapshot must fit'),
  ],
  ['segment.bytes', atMost(64 * MIB, 16 * MIB, 'the newest segment is not compacted, and read whole')],
  ['min.cleanable.dirty.ratio', atMost(0.5, 0.3, 'what was overwritten is read, too')],
  // Long enough for any reader to see what was deleted while it read.
  ['delete.retention.ms', atLeast(60_000, 300_000, 'a reader could miss that something was deleted')],
];

function exactly(value: string, why: string): Requirement {
  return { create: value, wanted: value, holds: (found) => found === value, why };
}

function atLeast(value: number, create: number, why: string): Requirement {
  return { create: String(create), wanted: `at least ${value}`, holds: (found) => Number(found) >= value, why };
}

function atMost(value: number, create: number, why: string): Requirement {
  return { create: String(create), wanted: `at most ${value}`, holds: (found) => Number(found) <= value, why };
}

async function createIfMissing(admin: Admin, wanted: WantedTopic): Promise<void> {
  if ((await admin.listTopics()).includes(wanted.topic)) return;
  const configEntries = [...requirements(wanted)].map(([name, { create }]) => ({ name, value: create }));
  // False when another process was quicker: then its topic is checked as any other.
  await admin.createTopics({
    topics: [
      {
        topic: wanted.topic,
        numPartitions: wanted.partitions,
        replicationFactor: wanted.replicationFactor,
        configEntries,
      },
    ],
    waitForLeaders: true,
    timeout: 10_000,
  });
}

async function describeTopic(admin: Admin, topic: string): Promise<FoundTopic> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const partitions = topics.find(({ name }) => name === topic)?.partitions ?? [];
  if (partitions.length === 0) throw new Error(`the brokers do not know the topic ${topic} yet`);
  const { resources } = await admin.describeConfigs({
    resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic }],
    includeSynonyms: false,
  });
  const entries = resources.flatMap(({ configEntries }) => configEntries);
  return {
    partitions: partitions.length,
    replicationFactor: Math.min(...partitions.map(({ replicas }) => replicas.length)),
    settings: new Map(entries.map(({ configName, configValue }) => [configName, configValue])),
  };
}
