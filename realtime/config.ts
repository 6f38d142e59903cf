// The settings of the socket node.
import { z } from 'zod';
import { internalSecretSettings, toInternalSecret } from '../commands/client/internal-secret.ts';
import { type EventLogSettings, eventLogSettings, toEventLogSettings } from '../event-log/config.ts';
import { countSetting, logLevelSetting, portSetting, readEnv } from '../platform/env.ts';
import { rateLimitSettings } from '../platform/rate-limit.ts';
import type { RealtimeSettings } from './role.ts';

const roleSettings = {
  /** Sockets of one node, of both kinds; one more is answered with 503. */
  REALTIME_MAX_SOCKETS: countSetting(20_000),
  /** Rooms that one node follows; beyond it an empty one gives way, else joining another one is refused with busy. */
  REALTIME_MAX_ROOMS: countSetting(10_000),
  /** Milliseconds over which a node that stops closes its sockets, portion by portion. Few sockets go at once. */
  REALTIME_DRAIN_MS: countSetting(3_000),
};

const processSettings = {
  ...eventLogSettings,
  ...roleSettings,
  ...rateLimitSettings,
  ...internalSecretSettings,
  DATABASE_URL: z.string().min(1),
  /** Where processes of the commands role listen, one at least, separated by commas; the others are learnt from them. */
  COMMANDS_URL: z
    .string()
    .transform(splitList)
    .pipe(z.array(z.url({ protocol: /^https?$/ })).min(1)),
  REDIS_HOST: z.string().optional(),
  REDIS_PORT: portSetting(6_379),
  REALTIME_PORT: portSetting(3_002),
  FRONTEND_URL: z.string().default('http://localhost:3000'),
  LOG_LEVEL: logLevelSetting.default('info'),
  JWT_SECRET: z.string().optional(),
  JWT_PUBLIC_KEY: z.string().optional(),
};

export type RealtimeConfig = {
  port: number;
  logLevel: string;
  frontendUrl: string;
  databaseUrl: string;
  commandsUrls: readonly string[];
  internalSecret: string;
  eventLog: EventLogSettings;
  logTopic: string;
  redis: { host: string; port: number } | null;
  tokenKeys: { secret: string | undefined; publicKeyPem: string | undefined };
  rateLimit: { perSecond: number; burst: number };
  settings: RealtimeSettings;
};

/** The role's own settings. Throws ConfigError. */
export function readRealtimeSettings(): RealtimeSettings {
  return toSettings(readEnv(roleSettings, process.env));
}

/** Those of a process of its own. Throws ConfigError. */
export function readRealtimeConfig(): RealtimeConfig {
  const env = readEnv(processSettings, process.env);
  return {
    port: env.REALTIME_PORT,
    logLevel: env.LOG_LEVEL,
    frontendUrl: env.FRONTEND_URL,
    databaseUrl: env.DATABASE_URL,
    commandsUrls: env.COMMANDS_URL,
    internalSecret: toInternalSecret(env),
    eventLog: toEventLogSettings(env, env.DATABASE_URL),
    logTopic: env.LOG_TOPIC,
    redis: env.REDIS_HOST === undefined ? null : { host: env.REDIS_HOST, port: env.REDIS_PORT },
    tokenKeys: { secret: env.JWT_SECRET, publicKeyPem: env.JWT_PUBLIC_KEY },
    rateLimit: { perSecond: env.RATE_LIMIT_PER_SECOND, burst: env.RATE_LIMIT_BURST },
    settings: toSettings(env),
  };
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}

function toSettings(env: {
  REALTIME_MAX_SOCKETS: number;
  REALTIME_MAX_ROOMS: number;
  REALTIME_DRAIN_MS: number;
}): RealtimeSettings {
  return { maxSockets: env.REALTIME_MAX_SOCKETS, maxRooms: env.REALTIME_MAX_ROOMS, drainMs: env.REALTIME_DRAIN_MS };
}
