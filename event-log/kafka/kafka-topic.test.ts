import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { type FoundTopic, whatIsWrong } from './kafka-topic.ts';

const RIGHT: FoundTopic = {
  partitions: 8,
  replicationFactor: 3,
  settings: new Map([
    ['cleanup.policy', 'delete'],
    ['retention.ms', '-1'],
    ['retention.bytes', '-1'],
    ['unclean.leader.election.enable', 'false'],
    ['message.timestamp.type', 'LogAppendTime'],
    ['compression.type', 'uncompressed'],
    ['min.insync.replicas', '2'],
    ['max.message.bytes', '2097152'],
  ]),
};
const WANTED = { topic: 'chat.events', use: 'events', partitions: 8, replicationFactor: 3 } as const;

describe('settings of the topic', () => {
  it('as they must be are accepted', () => {
    assert.deepEqual(whatIsWrong(WANTED, RIGHT), []);
  });

  const wrongValues: [string, string][] = [
    ['cleanup.policy', 'compact'],
    ['cleanup.policy', 'compact,delete'],
    ['retention.ms', '604800000'],
    ['retention.bytes', '1073741824'],
    ['unclean.leader.election.enable', 'true'],
    ['message.timestamp.type', 'CreateTime'],
    ['compression.type', 'producer'],
    ['min.insync.replicas', '1'],
    ['max.message.bytes', '524288'],
  ];
  for (const [name, value] of wrongValues) {
    it(`${name}=${value} is refused by name`, () => {
      const [only, ...others] = whatIsWrong(WANTED, {
        ...RIGHT,
        settings: new Map([...RIGHT.settings, [name, value]]),
      });
      assert.ok(only?.startsWith(`${name} is ${value}, wanted `), only);
      assert.deepEqual(others, []);
    });
  }

  it('a setting the broker does not tell is refused', () => {
    assert.match(whatIsWrong(WANTED, { ...RIGHT, settings: new Map() }).join('\n'), /retention\.ms is unknown/);
  });

  it('another number of partitions, or fewer replicas, is refused', () => {
    assert.match(whatIsWrong(WANTED, { ...RIGHT, partitions: 16 }).join('\n'), /16 partitions, wanted 8/);
    assert.match(whatIsWrong(WANTED, { ...RIGHT, replicationFactor: 1 }).join('\n'), /1 replicas, wanted 3/);
  });

  it('all that is wrong is told at once', () => {
    assert.equal(whatIsWrong(WANTED, { partitions: 1, replicationFactor: 1, settings: new Map() }).length, 10);
  });

  it('one replica needs no second one in sync', () => {
    const single = {
      ...RIGHT,
      replicationFactor: 1,
      settings: new Map([...RIGHT.settings, ['min.insync.replicas', '1']]),
    };
    assert.deepEqual(whatIsWrong({ ...WANTED, replicationFactor: 1 }, single), []);
  });

  describe('for snapshots', () => {
    const wanted = { ...WANTED, topic: 'chat.snapshots', use: 'snapshots' } as const;
    const right: FoundTopic = {
      ...RIGHT,
      settings: new Map([
        ['cleanup.policy', 'compact'],
        ['unclean.leader.election.enable', 'false'],
        ['compression.type', 'uncompressed'],
        ['min.insync.replicas', '2'],
        ['max.message.bytes', '2097152'],
        ['segment.bytes', '16777216'],
        ['min.cleanable.dirty.ratio', '0.3'],
        ['delete.retention.ms', '300000'],
      ]),
    };

    it('as they must be are accepted', () => {
      assert.deepEqual(whatIsWrong(wanted, right), []);
    });

    for (const [name, value] of [
      ['cleanup.policy', 'delete'],
      ['unclean.leader.election.enable', 'true'],
      ['compression.type', 'zstd'],
      ['min.insync.replicas', '1'],
      ['max.message.bytes', '524288'],
      ['segment.bytes', '1073741824'],
      ['min.cleanable.dirty.ratio', '0.9'],
      ['delete.retention.ms', '1000'],
    ] as const) {
      it(`${name}=${value} is refused by name`, () => {
        const found = { ...right, settings: new Map([...right.settings, [name, value]]) };
        const [only, ...others] = whatIsWrong(wanted, found);
        assert.ok(only?.startsWith(`${name} is ${value}, wanted `), only);
        assert.deepEqual(others, []);
      });
    }
  });
});
