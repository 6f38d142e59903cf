import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { MemoryBrokers } from '../../tests/support/memory-brokers.ts';
import { gate, textsOf, until } from '../contract/log-probe.ts';
import type { LogBatch } from '../event-log.ts';
import { KafkaFollower } from './kafka-follower.ts';

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `record ${index}`);
}

function follow(brokers: MemoryBrokers, partitions: number[], handle: (batch: LogBatch) => Promise<void> | void) {
  const from = new Map(partitions.map((partition) => [partition, 0]));
  const follower = new KafkaFollower({ connections: brokers, topic: 'memory', log: undefined }, { from, handle });
  const running = follower.run();
  return {
    add: (partition: number) => follower.add(partition, 0),
    remove: (partition: number) => follower.remove(partition),
    stop: async () => {
      await follower.stop();
      await running;
    },
  };
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(setImmediate);
}

describe('Kafka follower', () => {
  it('goes on where it was when partitions change their leaders, with no gap and no repeat', async () => {
    const brokers = new MemoryBrokers();
    for (const partition of [0, 1, 2]) {
      brokers.leaderByPartition.set(partition, partition % 2);
      brokers.append(partition, numbered(40));
    }
    const seen = new Map<number, string[]>([0, 1, 2].map((partition) => [partition, []]));
    const following = follow(brokers, [0, 1, 2], ({ partition, records }) => {
      seen.get(partition)?.push(...textsOf(records));
      const count = seen.get(partition)?.length ?? 0;
      if (count % 15 === 0) brokers.leaderByPartition.set(partition, count / 15 + partition);
    });
    await until('all is handed out', () => [...seen.values()].every((texts) => texts.length === 40));
    await following.stop();
    for (const texts of seen.values()) assert.deepEqual(texts, numbered(40));
  });

  it('a leader that is down keeps back its own partitions only, until it is there again', async () => {
    const brokers = new MemoryBrokers();
    const seen = [0, 0];
    for (const partition of [0, 1]) {
      brokers.leaderByPartition.set(partition, partition);
      brokers.append(partition, numbered(3));
    }
    brokers.down.add(1);
    const following = follow(brokers, [0, 1], ({ partition, records }) => {
      seen[partition] = (seen[partition] ?? 0) + records.length;
    });
    await until('the living leader is read', () => seen[0] === 3);
    assert.equal(seen[1], 0);
    brokers.down.delete(1);
    await until('the other one is read', () => seen[1] === 3);
    await following.stop();
  });

  it('BOUND: fetches one batch ahead of a handler that takes its time, and no more', async () => {
    const brokers = new MemoryBrokers();
    for (const partition of [0, 1]) {
      brokers.leaderByPartition.set(partition, 0);
      brokers.append(partition, numbered(50));
    }
    const slow = gate();
    const handled = [0, 0];
    const following = follow(brokers, [0, 1], async ({ partition, records }) => {
      if (partition === 0) await slow.opened;
      handled[partition] = (handled[partition] ?? 0) + records.length;
    });
    await until('the other partition is read', () => handled[1] === 50);
    assert.equal(handled[0], 0);
    assert.equal(brokers.fetchesByPartition.get(0), 2);
    slow.open();
    await until('the slow one is read', () => handled[0] === 50);
    await following.stop();
  });

  it('all handlers slow: fetches nothing at all', async () => {
    const brokers = new MemoryBrokers();
    brokers.leaderByPartition.set(0, 0);
    brokers.append(0, numbered(10));
    const slow = gate();
    let handled = 0;
    const following = follow(brokers, [0], async ({ records }) => {
      await slow.opened;
      handled += records.length;
    });
    await until('two batches are fetched', () => brokers.fetchesByPartition.get(0) === 2);
    await turns(50);
    assert.equal(brokers.fetchesByPartition.get(0), 2);
    slow.open();
    await until('all is read', () => handled === 10);
    await following.stop();
  });

  it('of no partitions runs until it is stopped', async () => {
    await follow(new MemoryBrokers(), [], () => undefined).stop();
  });

  it('an added partition does not wait for the fetch in flight, whose answer is dropped', async () => {
    const brokers = new MemoryBrokers();
    for (const partition of [0, 1]) brokers.leaderByPartition.set(partition, partition);
    const seen = new Map<number, string[]>([0, 1].map((partition) => [partition, []]));
    const following = follow(brokers, [0], ({ partition, records }) => {
      seen.get(partition)?.push(...textsOf(records));
    });
    const answerHeld = brokers.holdFetches();
    await until('the fetch waits', () => brokers.held.length === 1);
    brokers.answerFetches();
    brokers.append(0, numbered(2));
    brokers.append(1, numbered(3));
    following.add(1);
    await until('both are read', () => seen.get(0)?.length === 2 && seen.get(1)?.length === 3);
    assert.equal(brokers.retired, 1);
    answerHeld();
    await turns(20);
    await following.stop();
    assert.deepEqual([seen.get(0), seen.get(1)], [numbered(2), numbered(3)]);
  });

  it('several partitions that are added in one turn cost one connection', async () => {
    const brokers = new MemoryBrokers();
    for (const partition of [0, 1, 2, 3]) brokers.leaderByPartition.set(partition, 0);
    const following = follow(brokers, [0], () => undefined);
    const answerHeld = brokers.holdFetches();
    await until('the fetch waits', () => brokers.held.length === 1);
    for (const partition of [1, 2, 3]) following.add(partition);
    await until('all are fetched', () => brokers.held.some((partitions) => partitions.length === 4));
    assert.equal(brokers.retired, 1);
    assert.equal(brokers.held.length, 2);
    await following.stop();
    answerHeld();
  });

  it('gives up no connection for an added partition while nothing is fetched', async () => {
    const brokers = new MemoryBrokers();
    for (const partition of [0, 1]) {
      brokers.leaderByPartition.set(partition, 0);
      brokers.append(partition, numbered(5));
    }
    const slow = gate();
    const handled = [0, 0];
    const following = follow(brokers, [0], async ({ partition, records }) => {
      if (partition === 0) await slow.opened;
      handled[partition] = (handled[partition] ?? 0) + records.length;
    });
    await until('two batches are fetched', () => brokers.fetchesByPartition.get(0) === 2);
    await turns(20);
    following.add(1);
    await until('the added one is read', () => handled[1] === 5);
    assert.equal(brokers.retired, 0);
    slow.open();
    await until('the slow one is read', () => handled[0] === 5);
    await following.stop();
  });

  it('does not ask for a partition that was removed', async () => {
    const brokers = new MemoryBrokers();
    for (const partition of [0, 1]) brokers.leaderByPartition.set(partition, 0);
    const following = follow(brokers, [0, 1], () => undefined);
    await until('both are fetched', () => (brokers.fetchesByPartition.get(1) ?? 0) > 2);
    await following.remove(1);
    await turns(5);
    const [before, others] = [brokers.fetchesByPartition.get(1), brokers.fetchesByPartition.get(0) ?? 0];
    await until('the other one is fetched', () => (brokers.fetchesByPartition.get(0) ?? 0) > others + 5);
    assert.equal(brokers.fetchesByPartition.get(1), before);
    assert.equal(brokers.retired, 0);
    await following.stop();
  });
});
