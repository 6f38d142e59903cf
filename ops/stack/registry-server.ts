// The schema registry: Apicurio, of which only the Confluent API is used.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { classArchive, type JavaPrograms } from './java-programs.ts';
import { ProcessServer, type StackServer } from './stack-server.ts';

export type RegistryServerOptions = {
  readonly programs: JavaPrograms;
  readonly dataDir: string;
  readonly pidFile: string;
  readonly port: number;
};

const START_TIMEOUT_MS = 90_000;
const PROBE_TIMEOUT_MS = 5_000;

/** The base URL of the Confluent API of a registry on this port. */
export function registryUrl(port: number): string {
  return `http://127.0.0.1:${port}/apis/ccompat/v7`;
}

export function registryServer({ programs, dataDir, pidFile, port }: RegistryServerOptions): StackServer {
  return new ProcessServer({
    name: 'registry',
    port,
    pidFile,
    logFile: join(dataDir, 'registry.log'),
    timeoutMs: START_TIMEOUT_MS,
    prepare: async () => {
      await mkdir(dataDir, { recursive: true });
      const archive = await classArchive(programs, 'registry');
      // It serves a few requests an hour: quick to start and small is all that matters.
      const memory = ['-Xmx300m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
      return {
        command: [programs.java, ...memory, ...archive.flags, ...settings(dataDir, port), '-jar', programs.registryJar],
        afterStop: archive.keep,
      };
    },
    probe: async () => {
      const response = await fetch(`${registryUrl(port)}/subjects`, { signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
      if (!response.ok) throw new Error(`the registry answered ${response.status}: ${await response.text()}`);
    },
  });
}

function settings(dataDir: string, port: number): readonly string[] {
  const values: Readonly<Record<string, string | number>> = {
    'quarkus.http.host': '127.0.0.1',
    'quarkus.http.port': port,
    // The ids in the event log mean nothing without the registry's memory of them. The default is a database in memory; and without
    // WRITE_DELAY=0 what was registered in the half second before a crash would be lost.
    'apicurio.datasource.url': `jdbc:h2:file:${join(dataDir, 'h2')};WRITE_DELAY=0;DB_CLOSE_ON_EXIT=FALSE`,
    'apicurio.datasource.jdbc.initial-size': 1,
    'apicurio.datasource.jdbc.min-size': 1,
    'apicurio.datasource.jdbc.max-size': 10,
  };
  return Object.entries(values).map(([name, value]) => `-D${name}=${value}`);
}
