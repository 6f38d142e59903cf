import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { ConfigError, readEnv } from '../platform/env.ts';
import { eventLogSettings, toEventLogSettings } from './config.ts';

const settingsOf = (env: Record<string, string>, databaseUrl?: string) =>
  toEventLogSettings(readEnv(eventLogSettings, env), databaseUrl);

describe('the settings of the log', () => {
  it('choose PostgreSQL where no Kafka is named', () => {
    assert.deepEqual(settingsOf({ LOG_PARTITIONS: '3' }, 'postgres://db'), {
      kind: 'postgres',
      databaseUrl: 'postgres://db',
      partitions: 3,
      ownerSessionMs: 6_000,
    });
  });

  it('choose Kafka where its brokers are named, also when there is a database', () => {
    const env = {
      KAFKA_BROKERS: 'a:9092,b:9093',
      SCHEMA_REGISTRY_URL: 'http://registry:8081/',
      OWNER_SESSION_MS: '1000',
    };
    assert.deepEqual(settingsOf(env, 'postgres://db'), {
      kind: 'kafka',
      brokers: ['a:9092', 'b:9093'],
      registryUrl: 'http://registry:8081',
      topic: 'chat.events',
      partitions: 4,
      replicationFactor: 1,
      ownerSessionMs: 1_000,
    });
  });

  it('refuse what does not go together or is not of the form', () => {
    for (const env of [
      {},
      { KAFKA_BROKERS: 'a:9092' },
      { KAFKA_BROKERS: 'a', SCHEMA_REGISTRY_URL: 'http://r' },
      { KAFKA_BROKERS: 'a:9092,', SCHEMA_REGISTRY_URL: 'http://r' },
      { KAFKA_BROKERS: 'a:9092', SCHEMA_REGISTRY_URL: 'registry' },
      { KAFKA_BROKERS: 'a:9092', SCHEMA_REGISTRY_URL: 'http://r', LOG_TOPIC: 'a topic' },
      { KAFKA_BROKERS: 'a:9092', SCHEMA_REGISTRY_URL: 'http://r', OWNER_SESSION_MS: '999' },
    ]) {
      assert.throws(() => settingsOf(env), ConfigError, JSON.stringify(env));
    }
  });
});
