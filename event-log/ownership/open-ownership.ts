// The ownership that belongs to the log that the settings name: members find each other where the log is.
import type { Logger } from '../../platform/logger.ts';
import type { EventLogSettings } from '../config.ts';
import { kafkaOwnership } from '../kafka/kafka-ownership.ts';
import { postgresOwnership } from '../postgres/postgres-ownership.ts';
import type { Ownership, OwnershipOptions } from './ownership.ts';

export type OpenOwnershipOptions = OwnershipOptions & {
  /** Names the process's connections. */
  clientId: string;
  logger: Logger;
};

/** Nothing is connected before run(). `sessionMs` is the caller's to give, usually settings.ownerSessionMs. */
export function openOwnership(settings: EventLogSettings, options: OpenOwnershipOptions): Ownership {
  if (settings.kind === 'postgres') return postgresOwnership({ ...options, databaseUrl: settings.databaseUrl });
  const { brokers, topic } = settings;
  return kafkaOwnership({ ...options, brokers, topic, log: options.logger });
}
