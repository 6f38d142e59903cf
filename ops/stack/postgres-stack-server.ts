// PostgreSQL as one of the stack's servers: the same server of our own that the embedded way of running uses.
import { join } from 'node:path';
import { type PostgresServer, startPostgresServer } from '../../platform/postgres-server.ts';
import type { StackServer } from './stack-server.ts';

export type PostgresStackServerOptions = { readonly dataDir: string; readonly port: number };

export class PostgresStackServer implements StackServer {
  readonly name = 'postgres';
  readonly logFile: string;
  readonly #dataDir: string;
  readonly #wantedPort: number;
  #server: PostgresServer | undefined;

  constructor({ dataDir, port }: PostgresStackServerOptions) {
    this.#dataDir = dataDir;
    this.#wantedPort = port;
    this.logFile = join(dataDir, 'postgres.log');
  }

  get port(): number {
    return this.#server?.port ?? this.#wantedPort;
  }

  get pid(): number {
    return this.#server?.pid ?? 0;
  }

  /** Known once it has been started. */
  get databaseUrl(): string {
    if (this.#server === undefined) throw new Error('PostgreSQL has not been started');
    return this.#server.databaseUrl;
  }

  async start(signal?: AbortSignal): Promise<void> {
    this.#server = await startPostgresServer({
      dataDir: this.#dataDir,
      port: this.#wantedPort,
      logFile: this.logFile,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
  }
}
