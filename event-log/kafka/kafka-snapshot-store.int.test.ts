// The contract on Kafka, and what only this store promises.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { freshTopic, kafkaOptions, withKafkaAdmin } from '../../tests/support/kafka-harness.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { openTcpProxy, type TcpProxy } from '../../tests/support/tcp-proxy.ts';
import { LogSettingsError } from '../event-log.ts';
import type { SnapshotStore } from '../snapshot-store.ts';
import { describeSnapshotStoreContract } from '../snapshot-store-contract.ts';
import { type KafkaSnapshotStoreOptions, openKafkaSnapshotStore } from './kafka-snapshot-store.ts';

describeSnapshotStoreContract('Kafka', async () => {
  const topic = freshTopic();
  const stores: SnapshotStore[] = [];
  const proxies: TcpProxy[] = [];
  const open = async (more: Partial<KafkaSnapshotStoreOptions> = {}) => {
    const store = await openKafkaSnapshotStore({ ...kafkaOptions(topic, 2), ...more });
    stores.push(store);
    return store;
  };
  return {
    store: await open(),
    openAnother: () => open(),
    openThroughProxy: async () => {
      const [host = '', port = ''] = (stackEnv.kafkaBrokers()[0] ?? '').split(':');
      const proxy = await openTcpProxy({ host, port: Number(port) });
      proxies.push(proxy);
      const route = () => ({ host: proxy.host, port: proxy.port });
      return { store: await open({ route, requestTimeoutMs: 500 }), faults: proxy };
    },
    close: async () => {
      await Promise.all([...stores, ...proxies].map((one) => one.close()));
      await withKafkaAdmin((admin) => admin.deleteTopics({ topics: [topic] }));
    },
  };
});

describe('the snapshot topic', () => {
  it('is made compacted, and refused where it is not', async () => {
    const topic = freshTopic();
    await withKafkaAdmin((admin) =>
      admin.createTopics({ topics: [{ topic, numPartitions: 2, replicationFactor: 1 }], waitForLeaders: false }),
    );
    await assert.rejects(openKafkaSnapshotStore(kafkaOptions(topic, 2)), (error) => {
      assert.ok(error instanceof LogSettingsError);
      assert.match(error.message, /cleanup\.policy is delete, wanted compact/);
      assert.match(error.message, /segment\.bytes is \d+, wanted at most/);
      return true;
    });
    await withKafkaAdmin((admin) => admin.deleteTopics({ topics: [topic] }));
  });
});
