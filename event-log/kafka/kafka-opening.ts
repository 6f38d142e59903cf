// How a topic is opened, whatever it is for: made and checked first, and waited for while Kafka is not up yet.
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../../platform/logger.ts';
import { LogSettingsError, LogUnavailableError } from '../event-log.ts';
import type { ConnectionOptions } from './kafka-connections.ts';
import { ensureTopic, type TopicUse } from './kafka-topic.ts';
import type { BrokerAddress } from './kafkajs-guards.ts';

export type KafkaTopicOptions = {
  /** host:port of some brokers; the others are learnt from them. */
  brokers: readonly string[];
  topic: string;
  /** Number of partitions that the topic is created with, or must have. */
  partitions: number;
  /** Replicas that the topic is created with, or must have at least. With two or more, two must be in sync for an append. */
  replicationFactor: number;
  clientId: string;
  log?: Logger;
  /** Milliseconds that opening waits for a Kafka that is not up yet. Default 30,000. */
  openTimeoutMs?: number;
  /** Where a broker is really reached, when not at the address it tells: through a tunnel, from another network. */
  route?: (broker: BrokerAddress) => BrokerAddress;
};

/** Milliseconds for one TCP connection. Well below every other time, so that a dead broker leaves time for a living one. */
const CONNECT_TIMEOUT_MS = 500;
/** Milliseconds between two attempts to open. */
const REOPEN_MS = 200;

/**
 * Creates the topic where there is none, checks it, and does `open` until it succeeds. Throws LogSettingsError, naming all that is
 * wrong, or LogUnavailableError when Kafka was not there in openTimeoutMs.
 */
export async function openOnTopic<Opened>(
  use: TopicUse,
  options: KafkaTopicOptions,
  open: () => Promise<Opened>,
): Promise<Opened> {
  const { topic, partitions, replicationFactor, openTimeoutMs = 30_000 } = options;
  const deadline = performance.now() + openTimeoutMs;
  while (true) {
    try {
      await ensureTopic({ topic, use, partitions, replicationFactor }, connectionOptions(options, CONNECT_TIMEOUT_MS));
      return await open();
    } catch (error) {
      if (error instanceof LogSettingsError) throw error;
      if (performance.now() + REOPEN_MS > deadline) {
        throw new LogUnavailableError(`Kafka was not ready within ${openTimeoutMs} ms`, { cause: error });
      }
      options.log?.warn({ err: error, topic }, 'Kafka is not ready yet');
      await wait(REOPEN_MS);
    }
  }
}

export function connectionOptions(options: KafkaTopicOptions, requestTimeoutMs: number): ConnectionOptions {
  const { brokers, topic, clientId, route = (broker) => broker } = options;
  return { brokers, topic, clientId, connectTimeoutMs: CONNECT_TIMEOUT_MS, requestTimeoutMs, route };
}
