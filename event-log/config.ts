// Which log a process uses: KAFKA_BROKERS set → Kafka with a schema registry, else PostgreSQL. The settings are a shape fragment,
// which every role's config.ts reads together with its own, so that all faults are reported at once.
import { z } from 'zod';
import { ConfigError, countSetting } from '../platform/env.ts';

export type EventLogSettings =
  | {
      kind: 'kafka';
      brokers: readonly string[];
      registryUrl: string;
      topic: string;
      partitions: number;
      replicationFactor: number;
      ownerSessionMs: number;
    }
  | { kind: 'postgres'; databaseUrl: string; partitions: number; ownerSessionMs: number };

export const eventLogSettings = {
  KAFKA_BROKERS: z
    .string()
    .regex(/^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/, 'must be host:port, several separated by commas')
    .optional(),
  SCHEMA_REGISTRY_URL: z.url({ protocol: /^https?$/ }).optional(),
  LOG_TOPIC: z
    .string()
    .regex(/^[a-zA-Z0-9._-]{1,200}$/, 'must be a name that Kafka takes for a topic')
    .default('chat.events'),
  LOG_PARTITIONS: countSetting(4, 1, 1_024),
  LOG_REPLICATION: countSetting(1, 1, 15),
  OWNER_SESSION_MS: countSetting(6_000, 1_000, 60_000),
};

type EventLogEnv = z.output<z.ZodObject<typeof eventLogSettings>>;

/** `databaseUrl` is where the log is when it is not on Kafka. Throws ConfigError where what was given does not go together. */
export function toEventLogSettings(env: EventLogEnv, databaseUrl: string | undefined): EventLogSettings {
  const both = { partitions: env.LOG_PARTITIONS, ownerSessionMs: env.OWNER_SESSION_MS };
  if (env.KAFKA_BROKERS === undefined) {
    if (databaseUrl !== undefined) return { kind: 'postgres', databaseUrl, ...both };
    throw new ConfigError('The log has no place: set KAFKA_BROKERS (and SCHEMA_REGISTRY_URL), or DATABASE_URL.');
  }
  if (env.SCHEMA_REGISTRY_URL === undefined) {
    throw new ConfigError('KAFKA_BROKERS is set, so SCHEMA_REGISTRY_URL must be set too.');
  }
  return {
    kind: 'kafka',
    brokers: env.KAFKA_BROKERS.split(','),
    registryUrl: env.SCHEMA_REGISTRY_URL.replace(/\/$/, ''),
    topic: env.LOG_TOPIC,
    replicationFactor: env.LOG_REPLICATION,
    ...both,
  };
}
