// The database of a process that runs all roles: the one that is named, else a PostgreSQL of its own in the data folder, which
// nobody else may work on at the same time.
import { join, relative } from 'node:path';
import type { Lifecycle } from '../../platform/lifecycle.ts';
import type { Logger } from '../../platform/logger.ts';
import { startPostgresServer } from '../../platform/postgres-server.ts';

export type OpenDatabaseDeps = {
  databaseUrl: string | undefined;
  dataDir: string;
  lifecycle: Lifecycle;
  logger: Logger;
  /** The data lock was lost while running: going on could mean two processes on the same data. */
  onLost: () => void;
};

/** Resolves with the URL, and with what to tell people. Throws DataInUseError and what starting PostgreSQL throws. */
export async function openDatabase(deps: OpenDatabaseDeps): Promise<{ url: string; description: string }> {
  const { databaseUrl, dataDir, lifecycle, logger } = deps;
  if (databaseUrl !== undefined) return { url: databaseUrl, description: 'in the PostgreSQL of DATABASE_URL' };
  const server = await startPostgresServer({
    dataDir: join(dataDir, 'postgres'),
    lock: {
      applicationName: 'roomlog',
      onLost: (error) => {
        logger.fatal({ err: error }, 'the data lock is lost');
        deps.onLost();
      },
    },
    onProgress: (line) => logger.info({ line }, 'starting PostgreSQL'),
  });
  lifecycle.add('PostgreSQL', () => server.stop());
  const inside = relative(process.cwd(), dataDir);
  const folder = inside === '' || inside.startsWith('..') ? dataDir : `./${inside}`;
  return {
    url: server.databaseUrl,
    description: `${folder} (PostgreSQL on 127.0.0.1:${server.port})`,
  };
}
