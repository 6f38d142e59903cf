// Opens the log that the settings name, with the codec that belongs to it.
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from '../platform/logger.ts';
import { type Codec, openCodec } from './codec/codec.ts';
import { folderSchemas } from './codec/folder-schemas.ts';
import { registrySchemas } from './codec/registry-schemas.ts';
import { type SchemaSource, SchemaSourceError } from './codec/schema-source.ts';
import type { EventLogSettings } from './config.ts';
import type { EventLog } from './event-log.ts';
import { openKafkaEventLog } from './kafka/kafka-event-log.ts';
import { openPostgresEventLog } from './postgres/postgres-event-log.ts';

export type OpenEventLogDeps = {
  logger: Logger;
  /** Names the process's connections. */
  clientId: string;
  /** Milliseconds that opening waits for a registry, and then for a Kafka, that is not up yet. Default 30,000. */
  openTimeoutMs?: number;
};

const OPEN_TIMEOUT_MS = 30_000;
/** Milliseconds between two attempts. */
const RETRY_MS = 500;

/**
 * Waits for servers that are not up yet. Throws LogUnavailableError, LogSettingsError or SchemaSourceError;
 * nothing is left open then.
 */
export async function openEventLog(
  settings: EventLogSettings,
  { logger, clientId, openTimeoutMs = OPEN_TIMEOUT_MS }: OpenEventLogDeps,
): Promise<{ log: EventLog; codec: Codec }> {
  if (settings.kind === 'postgres') {
    const codec = await openCodec(folderSchemas());
    return { log: await openPostgresEventLog({ ...settings, logger }), codec };
  }
  const { registryUrl, ...kafka } = settings;
  const source = registrySchemas({ url: registryUrl, topic: settings.topic });
  const codec = await openWhenUp(source, openTimeoutMs, logger);
  return { log: await openKafkaEventLog({ ...kafka, clientId, openTimeoutMs, log: logger }), codec };
}

async function openWhenUp(source: SchemaSource, openTimeoutMs: number, logger: Logger): Promise<Codec> {
  const deadline = performance.now() + openTimeoutMs;
  for (;;) {
    try {
      return await openCodec(source);
    } catch (error) {
      const isPassing = error instanceof SchemaSourceError && error.retryable;
      if (!isPassing || performance.now() + RETRY_MS > deadline) throw error;
      logger.warn({ err: error }, 'the schema registry is not ready yet');
      await wait(RETRY_MS);
    }
  }
}
