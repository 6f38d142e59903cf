// The settings of the read API.
import { z } from 'zod';
import { countSetting, logLevelSetting, portSetting, readEnv } from '../platform/env.ts';
import type { ReadApiSettings } from './role.ts';

const roleSettings = {
  /** Lets everybody with a token read the messages of public rooms; else only members may. */
  PUBLIC_HISTORY: z.enum(['true', 'false']).default('false'),
  /** Rooms that are brought into the hot cache at a time; beyond it a room waits for its next reader. */
  READ_MAX_REFILLS: countSetting(8, 1, 100),
  /** Reads that wait for a position at a time; one more is refused with busy. */
  READ_MAX_WAITING: countSetting(1_000, 1, 100_000),
};

const processSettings = {
  ...roleSettings,
  DATABASE_URL: z.string().min(1),
  REDIS_HOST: z.string().optional(),
  REDIS_PORT: portSetting(6_379),
  /** Names the log, and with it the log's hot cache. */
  LOG_TOPIC: z.string().default('chat.events'),
  READ_API_PORT: portSetting(3_001),
  FRONTEND_URL: z.string().default('http://localhost:3000'),
  LOG_LEVEL: logLevelSetting.default('info'),
  JWT_SECRET: z.string().optional(),
  JWT_PUBLIC_KEY: z.string().optional(),
};

export type ReadApiConfig = {
  port: number;
  logLevel: string;
  frontendUrl: string;
  databaseUrl: string;
  redis: { host: string; port: number } | null;
  logTopic: string;
  tokenKeys: { secret: string | undefined; publicKeyPem: string | undefined };
  settings: ReadApiSettings;
};

/** The role's own settings. Throws ConfigError. */
export function readReadApiSettings(): ReadApiSettings {
  return toSettings(readEnv(roleSettings, process.env));
}

/** Those of a process of its own. Throws ConfigError. */
export function readReadApiConfig(): ReadApiConfig {
  const env = readEnv(processSettings, process.env);
  return {
    port: env.READ_API_PORT,
    logLevel: env.LOG_LEVEL,
    frontendUrl: env.FRONTEND_URL,
    databaseUrl: env.DATABASE_URL,
    redis: env.REDIS_HOST === undefined ? null : { host: env.REDIS_HOST, port: env.REDIS_PORT },
    logTopic: env.LOG_TOPIC,
    tokenKeys: { secret: env.JWT_SECRET, publicKeyPem: env.JWT_PUBLIC_KEY },
    settings: toSettings(env),
  };
}

function toSettings(env: {
  PUBLIC_HISTORY: 'true' | 'false';
  READ_MAX_REFILLS: number;
  READ_MAX_WAITING: number;
}): ReadApiSettings {
  return {
    publicHistory: env.PUBLIC_HISTORY === 'true',
    maxRefills: env.READ_MAX_REFILLS,
    maxWaiting: env.READ_MAX_WAITING,
  };
}
