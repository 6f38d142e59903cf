import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { kafkaProperties } from './kafka-server.ts';

describe('the configuration of Kafka', () => {
  const properties = new Map(
    kafkaProperties({ dataDir: '/data/kafka', port: 9092, controllerPort: 9093 })
      .trim()
      .split('\n')
      .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );

  it('listens on this machine alone', () => {
    assert.equal(properties.get('listeners'), 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093');
    assert.equal(properties.get('advertised.listeners'), 'PLAINTEXT://127.0.0.1:9092');
  });

  it('keeps its logs in the data folder, and makes no topic that nobody asked for', () => {
    assert.equal(properties.get('log.dirs'), '/data/kafka/log');
    assert.equal(properties.get('auto.create.topics.enable'), 'false');
  });

  it('never elects a leader that has not seen all acknowledged records', () => {
    assert.equal(properties.get('unclean.leader.election.enable'), 'false');
  });
});
