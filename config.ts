// The settings of all roles in one process. What a single role reads stands in its own config.ts; .env.example lists all of them.
import { join, resolve } from 'node:path';
import { z } from 'zod';
import { toAdvertisedUrl } from './commands/config.ts';
import { type EventLogSettings, eventLogSettings, toEventLogSettings } from './event-log/config.ts';
import { ConfigError, logLevelSetting, portSetting, readAll, readEnv } from './platform/env.ts';
import { rateLimitSettings } from './platform/rate-limit.ts';
import { readProjectionsSettings } from './projections/config.ts';
import { readReadApiSettings } from './read-api/config.ts';
import { readRealtimeSettings } from './realtime/config.ts';

const secretSettings = {
  DATA_DIR: z.string().default('./data'),
  JWT_SECRET: z.string().optional(),
};

const processSettings = {
  ...secretSettings,
  ...eventLogSettings,
  ...rateLimitSettings,
  DATABASE_URL: z.string().optional(),
  REDIS_HOST: z.string().optional(),
  REDIS_PORT: portSetting(6_379),
  JWT_PUBLIC_KEY: z.string().optional(),
  INTERNAL_SECRET: z.string().min(16).optional(),
  FRONTEND_URL: z.string().optional(),
  CHAT_SERVICE_PORT: portSetting(3_000),
  COMMANDS_ADVERTISED_URL: z.url({ protocol: /^https?$/ }).optional(),
  REALTIME_PORT: portSetting(3_002),
  PROJECTIONS_PORT: portSetting(3_009),
  LOG_LEVEL: logLevelSetting.optional(),
};

export type MainConfig = ReturnType<typeof readMainConfig>;

/** Where the secret of the tokens is: given, or kept in the data folder. Throws ConfigError. */
export function readSecretConfig(): { JWT_SECRET: string | undefined; jwtSecretFile: string } {
  const { JWT_SECRET, DATA_DIR } = readEnv(secretSettings, process.env);
  return { JWT_SECRET, jwtSecretFile: join(resolve(DATA_DIR), 'jwt-secret') };
}

/** Throws one ConfigError with all faults, those of the roles included. */
export function readMainConfig() {
  const { env, ...roles } = readAll({
    env: () => readEnv(processSettings, process.env),
    projections: readProjectionsSettings,
    readApi: readReadApiSettings,
    realtime: readRealtimeSettings,
  });
  const isCluster = env.KAFKA_BROKERS !== undefined;
  const givesTokens = env.JWT_SECRET === undefined && env.JWT_PUBLIC_KEY === undefined;
  if (isCluster && givesTokens) {
    throw new ConfigError(
      'KAFKA_BROKERS is set, so tokens are not for trying things out: set JWT_SECRET or JWT_PUBLIC_KEY.',
    );
  }
  const sharesPartitions = isCluster || env.DATABASE_URL !== undefined;
  if (sharesPartitions && !givesTokens && env.JWT_SECRET === undefined && env.INTERNAL_SECRET === undefined) {
    throw new ConfigError(
      'Processes on one log need a secret in common: set INTERNAL_SECRET beside JWT_PUBLIC_KEY, to the same on all of them.',
    );
  }
  const ownOrigins = ['localhost', '127.0.0.1'].map((host) => `http://${host}:${env.CHAT_SERVICE_PORT}`);
  const dataDir = resolve(env.DATA_DIR);
  return {
    ports: { http: env.CHAT_SERVICE_PORT, realtime: env.REALTIME_PORT, projections: env.PROJECTIONS_PORT },
    dataDir,
    jwtSecretFile: join(dataDir, 'jwt-secret'),
    /** Undefined: a PostgreSQL of our own in the data folder. */
    databaseUrl: env.DATABASE_URL,
    eventLogOn: (databaseUrl: string): EventLogSettings => toEventLogSettings(env, databaseUrl),
    logTopic: env.LOG_TOPIC,
    redis: env.REDIS_HOST === undefined ? null : { host: env.REDIS_HOST, port: env.REDIS_PORT },
    tokens: { secret: env.JWT_SECRET, publicKeyPem: env.JWT_PUBLIC_KEY },
    /** Null: not set. Processes that share partitions then know each other by the secret of the tokens. */
    internalSecret: env.INTERNAL_SECRET ?? null,
    /** Whether other processes may be working on the same log: on a PostgreSQL of our own there can be none. */
    sharesPartitions,
    /** Where other processes of the commands role reach this one. */
    advertisedUrl: toAdvertisedUrl(env),
    /** Tokens are signed with a secret that this process makes itself, and demo users get one for the asking. */
    givesTokens,
    frontendUrl: env.FRONTEND_URL ?? ownOrigins.join(','),
    rateLimit: { perSecond: env.RATE_LIMIT_PER_SECOND, burst: env.RATE_LIMIT_BURST },
    /** People read the screen of a process that gives tokens; only what needs them is said there. */
    logLevel: env.LOG_LEVEL ?? (givesTokens ? 'warn' : 'info'),
    logTo: givesTokens ? ('stderr' as const) : ('stdout' as const),
    ...roles,
  };
}
