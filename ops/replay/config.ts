// Where `npm run replay` finds what it works on: the settings of the roles, read as they are by these.
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { type EventLogSettings, eventLogSettings, toEventLogSettings } from '../../event-log/config.ts';
import { logLevelSetting, portSetting, readEnv } from '../../platform/env.ts';

const settings = {
  ...eventLogSettings,
  DATA_DIR: z.string().default('./data'),
  DATABASE_URL: z.string().optional(),
  REDIS_HOST: z.string().optional(),
  REDIS_PORT: portSetting(6_379),
  MAX_PARKED_STREAMS: z.coerce.number().int().min(1).default(10_000),
  LOG_LEVEL: logLevelSetting.default('error'),
};

export type ReplayConfig = {
  /** Undefined: the PostgreSQL in the data folder. */
  databaseUrl: string | undefined;
  postgresDir: string;
  eventLogOn: (databaseUrl: string) => EventLogSettings;
  logTopic: string;
  redis: { host: string; port: number } | null;
  maxParkedStreams: number;
  logLevel: string;
};

/** Throws ConfigError. */
export function readReplayConfig(): ReplayConfig {
  const env = readEnv(settings, process.env);
  return {
    databaseUrl: env.DATABASE_URL,
    postgresDir: join(resolve(env.DATA_DIR), 'postgres'),
    eventLogOn: (databaseUrl) => toEventLogSettings(env, databaseUrl),
    logTopic: env.LOG_TOPIC,
    redis: env.REDIS_HOST === undefined ? null : { host: env.REDIS_HOST, port: env.REDIS_PORT },
    maxParkedStreams: env.MAX_PARKED_STREAMS,
    logLevel: env.LOG_LEVEL,
  };
}
