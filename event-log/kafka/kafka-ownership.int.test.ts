// The contract on Kafka, and what only this adapter promises.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { freshTopic, kafkaOptions, withKafkaAdmin } from '../../tests/support/kafka-harness.ts';
import { type OwnershipPlace, ownershipHarness } from '../../tests/support/ownership-harness.ts';
import { LogSettingsError } from '../event-log.ts';
import { untilAgreed } from '../ownership/contract/members.ts';
import { describeOwnershipContract, PARTITIONS } from '../ownership/ownership-contract.ts';
import { kafkaOwnership } from './kafka-ownership.ts';
import { ensureTopic } from './kafka-topic.ts';

describeOwnershipContract('Kafka', async () => ownershipHarness(await freshPlace()));

describe('ownership on Kafka alone', () => {
  it('OWN-18 a session that the broker refuses ends run() with the names of both settings', async () => {
    const harness = ownershipHarness(await freshPlace());
    const member = harness.join({ sessionMs: 500 });
    await assert.rejects(member.running, (error) => {
      assert.ok(error instanceof LogSettingsError);
      assert.match(error.message, /500 ms.*OWNER_SESSION_MS.*group\.min\.session\.timeout\.ms/);
      return true;
    });
    await harness.close();
  });

  it('shows to tools for consumer groups which partitions each process has', async () => {
    const place = await freshPlace();
    const harness = ownershipHarness(place);
    const members = [harness.join(), harness.join()];
    await untilAgreed(members, PARTITIONS);
    const groupId = `roomlog-test-role-${place.place}`;
    const { groups } = await withKafkaAdmin((admin) => admin.describeGroups([groupId]));
    assert.equal(groups[0]?.state, 'Stable');
    assert.equal(groups[0].members.length, 2);
    await harness.close();
  });
});

async function freshPlace(): Promise<OwnershipPlace> {
  const { brokers, clientId, ...topic } = kafkaOptions(freshTopic(), PARTITIONS);
  const route = (broker: { host: string; port: number }) => broker;
  await ensureTopic(
    { ...topic, use: 'events' },
    {
      ...{ brokers, clientId, route, topic: topic.topic },
      ...{ connectTimeoutMs: 1_000, requestTimeoutMs: 5_000 },
    },
  );
  const [host = '', port = ''] = (brokers[0] ?? '').split(':');
  return {
    on: 'kafka',
    place: topic.topic,
    server: { host, port: Number(port) },
    open: (options, through) => {
      const where = { brokers, clientId, topic: topic.topic };
      if (through === undefined) return kafkaOwnership({ ...options, ...where });
      return kafkaOwnership({ ...options, ...where, route: () => ({ host: through.host, port: through.port }) });
    },
    drop: () => withKafkaAdmin((admin) => admin.deleteTopics({ topics: [topic.topic] })),
  };
}
