// Opens the snapshot store that belongs to the log which the settings name.
import type { EventLogSettings } from './config.ts';
import { openKafkaSnapshotStore } from './kafka/kafka-snapshot-store.ts';
import type { OpenEventLogDeps } from './open-event-log.ts';
import { openPostgresSnapshotStore } from './postgres/postgres-snapshot-store.ts';
import type { SnapshotStore } from './snapshot-store.ts';

/** Beside the log: `chat.events` has `chat.snapshots`. */
export function snapshotTopicOf(eventTopic: string): string {
  return `${eventTopic.replace(/\.events$/, '')}.snapshots`;
}

/**
 * Waits for servers that are not up yet, half a minute at most. Throws LogUnavailableError or LogSettingsError; nothing is left
 * open then.
 */
export async function openSnapshotStore(
  settings: EventLogSettings,
  { logger, clientId }: OpenEventLogDeps,
): Promise<SnapshotStore> {
  if (settings.kind === 'postgres') return await openPostgresSnapshotStore({ ...settings, logger });
  const { brokers, topic, partitions, replicationFactor } = settings;
  return await openKafkaSnapshotStore({
    brokers,
    topic: snapshotTopicOf(topic),
    partitions,
    replicationFactor,
    clientId,
    log: logger,
  });
}
