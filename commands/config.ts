// The settings of the commands role in a process of its own.
import { z } from 'zod';
import { type EventLogSettings, eventLogSettings, toEventLogSettings } from '../event-log/config.ts';
import { logLevelSetting, portSetting, readEnv } from '../platform/env.ts';
import { ownAddress } from '../platform/own-address.ts';
import { rateLimitSettings } from '../platform/rate-limit.ts';
import { internalSecretSettings, toInternalSecret } from './client/internal-secret.ts';

const processSettings = {
  ...eventLogSettings,
  ...rateLimitSettings,
  ...internalSecretSettings,
  /** Only asked for where the log is on PostgreSQL. */
  DATABASE_URL: z.string().optional(),
  REDIS_HOST: z.string().optional(),
  REDIS_PORT: portSetting(6_379),
  CHAT_SERVICE_PORT: portSetting(3_000),
  FRONTEND_URL: z.string().default('http://localhost:3000'),
  /** The host is this machine's own address where it is not set. */
  COMMANDS_ADVERTISED_URL: z.url({ protocol: /^https?$/ }).optional(),
  LOG_LEVEL: logLevelSetting.default('info'),
  JWT_SECRET: z.string().optional(),
  JWT_PUBLIC_KEY: z.string().optional(),
};

export type CommandsConfig = {
  port: number;
  logLevel: string;
  frontendUrl: string;
  eventLog: EventLogSettings;
  logTopic: string;
  redis: { host: string; port: number } | null;
  tokenKeys: { secret: string | undefined; publicKeyPem: string | undefined };
  internalSecret: string;
  /** Where the other processes of the role reach this one. */
  advertisedUrl: string;
  rateLimit: { perSecond: number; burst: number };
};

/** Throws ConfigError. */
export function readCommandsConfig(): CommandsConfig {
  const env = readEnv(processSettings, process.env);
  return {
    port: env.CHAT_SERVICE_PORT,
    logLevel: env.LOG_LEVEL,
    frontendUrl: env.FRONTEND_URL,
    eventLog: toEventLogSettings(env, env.DATABASE_URL),
    logTopic: env.LOG_TOPIC,
    redis: env.REDIS_HOST === undefined ? null : { host: env.REDIS_HOST, port: env.REDIS_PORT },
    tokenKeys: { secret: env.JWT_SECRET, publicKeyPem: env.JWT_PUBLIC_KEY },
    internalSecret: toInternalSecret(env),
    advertisedUrl: toAdvertisedUrl(env),
    rateLimit: { perSecond: env.RATE_LIMIT_PER_SECOND, burst: env.RATE_LIMIT_BURST },
  };
}

/** Where other processes of the commands role reach this one. */
export function toAdvertisedUrl(env: {
  COMMANDS_ADVERTISED_URL?: string | undefined;
  CHAT_SERVICE_PORT: number;
}): string {
  return env.COMMANDS_ADVERTISED_URL?.replace(/\/$/, '') ?? `http://${ownAddress()}:${env.CHAT_SERVICE_PORT}`;
}
