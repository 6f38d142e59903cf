// The ownership that belongs to the log that the settings name: members find each other where the log is.
import type { Logger } from '../../platform/logger.ts';
import type { EventLogSettings } from '../config.ts';
import { kafkaOwnership } from '../kafka/kafka-ownership.ts';
import { postgresOwnership } from '../postgres/postgres-ownership.ts';
import type { OpenOwnership, Ownership, OwnershipOptions } from './ownership.ts';

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

/** For a process whose roles share: what they all say of it. `address` is where it is reached, '' where nobody has to. */
export type SharingProcess = Pick<OpenOwnershipOptions, 'partitions' | 'address' | 'clientId' | 'logger'>;

/** How the roles of a process take part in sharing out the partitions. */
export function ownershipOpener(settings: EventLogSettings, process: SharingProcess): OpenOwnership {
  return (role, onAssigned) =>
    openOwnership(settings, { ...process, role, onAssigned, sessionMs: settings.ownerSessionMs });
}
