import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { kafkaProperties } from './kafka-server.ts';

describe('the configuration of Kafka', () => {
  const place = { dataDir: '/data/kafka', port: 9092, controllerPort: 9093 };
  const properties = parse(kafkaProperties(place));

  it('listens on this machine alone', () => {
    assert.equal(properties.get('listeners'), 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093');
    assert.equal(properties.get('advertised.listeners'), 'PLAINTEXT://127.0.0.1:9092');
  });

  it('tells who comes by another port to come back by the one in front of it', () => {
    const listeners = [{ name: 'NODE1', port: 9101, advertisedPort: 9201 }];
    const more = parse(kafkaProperties({ ...place, listeners }));
    assert.match(more.get('listeners') ?? '', /(^|,)NODE1:\/\/127\.0\.0\.1:9101(,|$)/);
    assert.equal(more.get('advertised.listeners'), 'PLAINTEXT://127.0.0.1:9092,NODE1://127.0.0.1:9201');
    assert.match(more.get('listener.security.protocol.map') ?? '', /(^|,)NODE1:PLAINTEXT(,|$)/);
  });

  it('keeps its logs in the data folder, and makes no topic that nobody asked for', () => {
    assert.equal(properties.get('log.dirs'), '/data/kafka/log');
    assert.equal(properties.get('auto.create.topics.enable'), 'false');
  });

  it('never elects a leader that has not seen all acknowledged records', () => {
    assert.equal(properties.get('unclean.leader.election.enable'), 'false');
  });
});

function parse(properties: string): ReadonlyMap<string, string> {
  const lines = properties.trim().split('\n');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}
