// A Kafka event log for one test: a topic of its own on the running stack, further handles on it, one through a TCP proxy, and an
// operator's hands on the topic. Everything is closed and the topic dropped at the end.
import { randomUUID } from 'node:crypto';
import kafkajs, { type Admin } from 'kafkajs';
import type { EventLog } from '../../event-log/event-log.ts';
import type { LogHarness } from '../../event-log/event-log-contract.ts';
import { type KafkaEventLogOptions, openKafkaEventLog } from '../../event-log/kafka/kafka-event-log.ts';
import { stackEnv } from './stack-env.ts';
import { openTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export type KafkaHarness = LogHarness & {
  readonly topic: string;
  /** Runs something with an administrative client of its own. */
  withAdmin<Result>(run: (admin: Admin) => Promise<Result>): Promise<Result>;
  openThroughProxy(options?: Partial<KafkaEventLogOptions>): Promise<{ log: EventLog; faults: TcpProxy }>;
};

/** A topic name that no other test has, now or in another run. */
export function freshTopic(): string {
  return `test-${randomUUID()}`;
}

/** What openKafkaEventLog needs for a topic of the running stack. */
export function kafkaOptions(topic: string, partitions: number): KafkaEventLogOptions {
  return { brokers: stackEnv.kafkaBrokers(), topic, partitions, replicationFactor: 1, clientId: 'roomlog-test' };
}

export async function openKafkaHarness(partitions: number): Promise<KafkaHarness> {
  const topic = freshTopic();
  const options = kafkaOptions(topic, partitions);
  const logs: EventLog[] = [];
  const proxies: TcpProxy[] = [];
  const open = async (more: Partial<KafkaEventLogOptions> = {}) => {
    const log = await openKafkaEventLog({ ...options, ...more });
    logs.push(log);
    return log;
  };

  return {
    topic,
    log: await open(),
    openAnother: () => open(),
    openThroughProxy: async (more: Partial<KafkaEventLogOptions> = {}) => {
      const [host = '', port = ''] = (options.brokers[0] ?? '').split(':');
      const proxy = await openTcpProxy({ host, port: Number(port) });
      proxies.push(proxy);
      // Kafka tells its clients where it is; without the route they would go there, past the proxy.
      const log = await open({ route: () => ({ host: proxy.host, port: proxy.port }), ...more });
      return { log, faults: proxy };
    },
    withAdmin: withKafkaAdmin,
    deleteBelow: (partition, offset) =>
      withKafkaAdmin(async (admin) => {
        // kafkajs deletes records only of topics whose metadata it has, and does not fetch these by itself.
        await admin.fetchTopicOffsets(topic);
        await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(offset) }] });
      }),
    close: async () => {
      await Promise.all(logs.map((log) => log.close()));
      await Promise.all(proxies.map((proxy) => proxy.close()));
      await withKafkaAdmin((admin) => admin.deleteTopics({ topics: [topic] }));
    },
  };
}

export async function withKafkaAdmin<Result>(run: (admin: Admin) => Promise<Result>): Promise<Result> {
  const kafka = new kafkajs.Kafka({
    brokers: stackEnv.kafkaBrokers(),
    clientId: 'roomlog-test',
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const admin = kafka.admin();
  await admin.connect();
  try {
    return await run(admin);
  } finally {
    await admin.disconnect();
  }
}
