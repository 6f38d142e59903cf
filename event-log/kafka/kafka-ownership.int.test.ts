// The contract on Kafka, and what only this adapter promises.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { freshTopic, kafkaOptions, withKafkaAdmin } from '../../tests/support/kafka-harness.ts';
import { type OwnershipPlace, ownershipHarness } from '../../tests/support/ownership-harness.ts';
import { openRefusingProxy } from '../../tests/support/refusing-proxy.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { until } from '../contract/log-probe.ts';
import { LogSettingsError } from '../event-log.ts';
import { PARTITIONS, untilAgreed } from '../ownership/contract/members.ts';
import { describeOwnershipContract } from '../ownership/ownership-contract.ts';
import { findCoordinatorRequest, GROUP_CODES, heartbeatRequest, joinGroupRequest } from './group-requests.ts';
import { encodeClaim, PROTOCOL } from './group-words.ts';
import { KafkaConnections } from './kafka-connections.ts';
import { openKafkaEventLog } from './kafka-event-log.ts';
import { kafkaOwnership } from './kafka-ownership.ts';

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

  it('OWN-19 a leader that dies before it has shared out is given up, also when somebody joins meanwhile', async () => {
    const place = await freshPlace();
    const harness = ownershipHarness(place);
    const connections = new KafkaConnections({
      ...{ brokers: stackEnv.kafkaBrokers(), topic: place.place, clientId: 'roomlog-dead', route: (broker) => broker },
      ...{ connectTimeoutMs: 500, requestTimeoutMs: 2_000 },
    });
    const dead = await joinAndDie({ place, connections });
    assert.equal(dead.joined.leaderId, dead.joined.memberId);
    const first = harness.join();
    await until('the first one comes', dead.isAskedToJoinAgain);
    // It joins anew with the first one and leads still; now both wait for what it never says.
    const { members, leaderId } = await dead.again();
    assert.deepEqual([members.length, leaderId], [2, dead.joined.memberId]);
    const second = harness.join();
    await untilAgreed([first, second], PARTITIONS, 5_000);
    connections.close();
    await harness.close();
  });

  it('OWN-20 a group that Kafka refuses goes by another name with all its members, also new ones, and comes back', async () => {
    const place = await freshPlace();
    const groupId = `roomlog-test-role-${place.place}`;
    const broker = await openRefusingProxy(place.server);
    const harness = ownershipHarness({ ...place, open: (options) => place.open(options, broker) });
    try {
      const staying = [harness.join(), harness.join()];
      await untilAgreed(staying, PARTITIONS);

      broker.refuse(groupId);
      const all = [...staying, harness.join()];
      await untilAgreed(all, PARTITIONS, 15_000);
      const heldOn = staying.every(({ told }) => told.every(({ mine }) => mine.length > 0));
      assert.ok(heldOn, 'what was assigned last held');
      assert.equal(await countMembers(`${groupId}~2`), 3);

      broker.serve(groupId);
      await until('all are back', async () => (await countMembers(groupId)) === 3);
      await untilAgreed(all, PARTITIONS);
    } finally {
      await harness.close();
      await broker.close();
    }
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

async function countMembers(groupId: string): Promise<number> {
  const { groups } = await withKafkaAdmin((admin) => admin.describeGroups([groupId]));
  return groups[0]?.state === 'Stable' ? groups[0].members.length : 0;
}

/** A leader that joins and then says nothing more, as one that was killed in between. */
async function joinAndDie({ place, connections }: { place: OwnershipPlace; connections: KafkaConnections }) {
  const groupId = `roomlog-test-role-${place.place}`;
  const found = await (await connections.toLeader(0)).send(findCoordinatorRequest(groupId));
  const coordinator = await connections.toNode(found.node);
  const metadata = encodeClaim(place.place, { address: 'http://dead', owned: [], generation: 0, isLeaving: false });
  const join = (memberId: string) =>
    coordinator.send(
      joinGroupRequest({ groupId, sessionMs: 6_000, rebalanceTimeoutMs: 1_000, memberId, ...PROTOCOL, metadata }),
      10_000,
    );
  const { memberId } = await join('');
  const joined = await join(memberId);
  const beat = heartbeatRequest({ groupId, memberId, generation: joined.generation });
  return {
    joined,
    isAskedToJoinAgain: async () => (await coordinator.send(beat)).errorCode === GROUP_CODES.REBALANCE_IN_PROGRESS,
    again: () => join(memberId),
  };
}

async function freshPlace(): Promise<OwnershipPlace> {
  const log = kafkaOptions(freshTopic(), PARTITIONS);
  // Opening a log waits until the brokers know its new topic.
  await (await openKafkaEventLog(log)).close();
  const { brokers, clientId, topic } = log;
  const [host = '', port = ''] = (brokers[0] ?? '').split(':');
  return {
    on: 'kafka',
    place: topic,
    server: { host, port: Number(port) },
    open: (options, through) => {
      const where = { brokers, clientId, topic };
      if (through === undefined) return kafkaOwnership({ ...options, ...where });
      return kafkaOwnership({ ...options, ...where, route: () => ({ host: through.host, port: through.port }) });
    },
    drop: () => withKafkaAdmin((admin) => admin.deleteTopics({ topics: [topic] })),
  };
}
