// The settings of the projections role.
import { z } from 'zod';
import { type EventLogSettings, eventLogSettings, toEventLogSettings } from '../event-log/config.ts';
import { countSetting, logLevelSetting, portSetting, readEnv } from '../platform/env.ts';
import type { ProjectionsSettings } from './role.ts';
import { TAKEOVERS, type TakeoverMode } from './takeover.ts';

/** What the role does within its bounds; also read by the process that runs all roles. */
const projectionSettings = {
  /** Records of one transaction, about. */
  PROJECTION_CHUNK_RECORDS: countSetting(2_000, 1, 20_000),
  /** Parked streams beyond which the projector fails instead of parking another. */
  MAX_PARKED_STREAMS: countSetting(10_000),
  /** When a newer version of a projection takes over from the live one. */
  PROJECTION_TAKEOVER: z.enum(TAKEOVERS).default('caught-up'),
};

const processSettings = {
  ...eventLogSettings,
  ...projectionSettings,
  DATABASE_URL: z.string().min(1),
  REDIS_HOST: z.string().optional(),
  REDIS_PORT: portSetting(6_379),
  PROJECTIONS_PORT: portSetting(3_009),
  FRONTEND_URL: z.string().default('http://localhost:3000'),
  LOG_LEVEL: logLevelSetting.default('info'),
};

export type ProjectionsConfig = {
  port: number;
  logLevel: string;
  frontendUrl: string;
  databaseUrl: string;
  eventLog: EventLogSettings;
  redis: { host: string; port: number } | null;
  logTopic: string;
  settings: ProjectionsSettings;
};

/** The role's own settings. Throws ConfigError. */
export function readProjectionsSettings(): ProjectionsSettings {
  return toSettings(readEnv(projectionSettings, process.env));
}

/** Those of a process of its own. Throws ConfigError. */
export function readProjectionsConfig(): ProjectionsConfig {
  const env = readEnv(processSettings, process.env);
  return {
    port: env.PROJECTIONS_PORT,
    logLevel: env.LOG_LEVEL,
    frontendUrl: env.FRONTEND_URL,
    databaseUrl: env.DATABASE_URL,
    eventLog: toEventLogSettings(env, env.DATABASE_URL),
    redis: env.REDIS_HOST === undefined ? null : { host: env.REDIS_HOST, port: env.REDIS_PORT },
    logTopic: env.LOG_TOPIC,
    settings: toSettings(env),
  };
}

function toSettings(env: {
  PROJECTION_CHUNK_RECORDS: number;
  MAX_PARKED_STREAMS: number;
  PROJECTION_TAKEOVER: TakeoverMode;
}): ProjectionsSettings {
  const { PROJECTION_CHUNK_RECORDS, MAX_PARKED_STREAMS, PROJECTION_TAKEOVER } = env;
  return {
    chunkRecords: PROJECTION_CHUNK_RECORDS,
    maxParkedStreams: MAX_PARKED_STREAMS,
    takeover: PROJECTION_TAKEOVER,
  };
}
