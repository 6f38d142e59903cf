import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { freshTopic, kafkaOptions, withKafkaAdmin } from '../../tests/support/kafka-harness.ts';
import { openTcpProxy } from '../../tests/support/tcp-proxy.ts';
import { mustAppend } from '../contract/log-probe.ts';
import { LogSettingsError, LogUnavailableError } from '../event-log.ts';
import { openKafkaEventLog } from './kafka-event-log.ts';

async function dropTopic(topic: string): Promise<void> {
  await withKafkaAdmin((admin) => admin.deleteTopics({ topics: [topic] }));
}

describe('opening the event log on Kafka', () => {
  it('creates the topic with settings that it then accepts, also when several processes open at once', async () => {
    const topic = freshTopic();
    const logs = await Promise.all(Array.from({ length: 5 }, () => openKafkaEventLog(kafkaOptions(topic, 12))));
    for (const log of logs) assert.equal(log.partitions, 12);
    await mustAppend(logs[0] ?? assert.fail(), 11, 0, ['usable at once']);
    await Promise.all(logs.map((log) => log.close()));
    await dropTopic(topic);
  });

  it('refuses a topic that somebody made otherwise, and names everything that is wrong', async () => {
    const topic = freshTopic();
    const configEntries = [
      { name: 'retention.ms', value: '604800000' },
      { name: 'cleanup.policy', value: 'compact' },
      { name: 'max.message.bytes', value: '100000' },
    ];
    // kafkajs' own waiting for leaders fails now and then with what it waits for to pass; opening waits by itself.
    await withKafkaAdmin((admin) =>
      admin.createTopics({
        topics: [{ topic, numPartitions: 3, replicationFactor: 1, configEntries }],
        waitForLeaders: false,
      }),
    );
    await assert.rejects(openKafkaEventLog(kafkaOptions(topic, 8)), (error) => {
      assert.ok(error instanceof LogSettingsError);
      for (const wrong of [
        /3 partitions, wanted 8/,
        /retention\.ms is 604800000, wanted -1/,
        /cleanup\.policy is compact, wanted delete/,
        /max\.message\.bytes is 100000, wanted at least/,
        /message\.timestamp\.type is CreateTime, wanted LogAppendTime/,
        /compression\.type is producer, wanted uncompressed/,
      ]) {
        assert.match(error.message, wrong);
      }
      assert.doesNotMatch(error.message, /retention\.bytes|unclean/);
      return true;
    });
    await dropTopic(topic);
  });

  it('gives up with LogUnavailableError when Kafka does not come up in time', async () => {
    const proxy = await openTcpProxy({ host: '127.0.0.1', port: 1 });
    await proxy.refuse();
    const brokers = [`${proxy.host}:${proxy.port}`];
    const began = Date.now();
    await assert.rejects(
      openKafkaEventLog({ ...kafkaOptions(freshTopic(), 1), brokers, openTimeoutMs: 1_000 }),
      LogUnavailableError,
    );
    assert.ok(Date.now() - began < 5_000);
    await proxy.close();
  });

  it('waits for a Kafka that comes up later, and finds a living broker behind a dead one in the list', async () => {
    const options = kafkaOptions(freshTopic(), 1);
    const [host = '', port = ''] = (options.brokers[0] ?? '').split(':');
    const proxy = await openTcpProxy({ host, port: Number(port) });
    await proxy.refuse();
    const refused = Promise.withResolvers<void>();
    const opening = openKafkaEventLog({
      ...options,
      brokers: ['127.0.0.1:1', `${proxy.host}:${proxy.port}`],
      route: (broker) => {
        if (broker.port !== proxy.port) return broker.port === 1 ? broker : { host: proxy.host, port: proxy.port };
        refused.resolve();
        return broker;
      },
    });
    await refused.promise;
    await proxy.accept();
    const log = await opening;
    await mustAppend(log, 0, 0, ['here']);
    await log.close();
    await proxy.close();
    await dropTopic(options.topic);
  });
});
