// A running installation of several processes, with everything between its parts that faults act on. The two ways of running
// (kafka-cluster.ts, postgres-cluster.ts) look the same from here.
import { deathSignalWrapper } from '../../../platform/server-process.ts';
import { openTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts';
import type { SmallDisk } from './small-disk.ts';
import type { SupervisedProcess } from './supervised-process.ts';

export type WayName = 'kafka' | 'postgres';
export type RoleName = 'commands' | 'projections' | 'read-api' | 'realtime' | 'main';
export type ServerName = 'kafka' | 'registry' | 'postgres' | 'redis';

/** The way of one process to a server, or to another process. */
export type Link = { process: string; to: string; proxy: TcpProxy };

/** Where clients come in to one process. */
export type Door = { process: string; url: string; proxy: TcpProxy };

export type ClusterServer = { name: ServerName; kill: () => Promise<void>; restart: () => Promise<void> };

/** Where the log is, for who looks at it from outside when all is over. */
export type LogPlace =
  | { kind: 'kafka'; brokers: string[]; registryUrl: string; topic: string; partitions: number }
  | { kind: 'postgres'; url: string; schema: string };

export type Cluster = {
  way: WayName;
  secret: string;
  processes: readonly { role: RoleName; process: SupervisedProcess }[];
  servers: readonly ClusterServer[];
  links: readonly Link[];
  doors: Readonly<Record<'commands' | 'readApi' | 'realtime', readonly Door[]>>;
  /** Where the log is kept; null where no small disk can be had here. */
  disk: SmallDisk | null;
  /** The servers themselves, past all proxies. */
  log: LogPlace;
  databaseUrl: string;
  redis: { host: string; port: number; prefix: string } | null;
  /** Stops the processes in the order in which work flows; resolves with one sentence for each that did not end as it should. */
  stopProcesses(): Promise<string[]>;
  /** Ends everything that is left, and removes the data. */
  close(): Promise<void>;
};

export type ClusterOptions = {
  /** Where the logs of the processes go. */
  runDir: string;
  cacheDir: string;
  onProgress: (line: string) => void;
  signal: AbortSignal;
  /** Further settings of every process. */
  env?: Readonly<Record<string, string>>;
  /** Words for node in front of every process's file. */
  nodeArgs?: readonly string[];
};

/** Milliseconds without a sign of life after which a process counts as gone; short, so that many owners come and go in a run. */
export const OWNER_SESSION_MS = 2_000;
const START_TIMEOUT_MS = 90_000;
const STOP_ORDER: readonly RoleName[] = ['realtime', 'read-api', 'main', 'commands', 'projections'];

/** Settings that all processes of a run have in common. */
export function commonEnv(secret: string): Record<string, string> {
  return {
    JWT_SECRET: secret,
    INTERNAL_SECRET: secret,
    // The load must not be what the limit lets through.
    RATE_LIMIT_PER_SECOND: '0',
    OWNER_SESSION_MS: String(OWNER_SESSION_MS),
    LOG_LEVEL: 'info',
  };
}

/** Node, so that it ends with this process, and what it is told before its file. */
export async function nodeWords({ nodeArgs = [] }: ClusterOptions): Promise<string[]> {
  return [...(await deathSignalWrapper('SIGKILL')), process.execPath, ...nodeArgs];
}

/** Opens proxies and remembers them, to close all. */
export class Proxies {
  readonly links: Link[] = [];
  readonly #all: TcpProxy[] = [];

  async open(port: number): Promise<TcpProxy> {
    const proxy = await openTcpProxy({ host: '127.0.0.1', port }, { isRecording: false });
    this.#all.push(proxy);
    return proxy;
  }

  /** The port by which this process reaches what listens on `port`. */
  async link(process: string, to: string, port: number): Promise<number> {
    const proxy = await this.open(port);
    this.links.push({ process, to, proxy });
    return proxy.port;
  }

  async door(process: string, port: number): Promise<Door> {
    const proxy = await this.open(port);
    return { process, url: originOf(proxy.port), proxy };
  }

  async close(): Promise<void> {
    await Promise.all(this.#all.map((proxy) => proxy.close()));
  }
}

export function originOf(port: number): string {
  return `http://127.0.0.1:${port}`;
}

export function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.hostname = '127.0.0.1';
  changed.port = String(port);
  return changed.href;
}

/** Starts all and resolves when each is ready; rejects with what the first that is not says. */
export async function startProcesses(processes: Cluster['processes'], signal: AbortSignal): Promise<void> {
  // Nobody else would end them where the runner dies.
  process.once('exit', () => {
    for (const one of processes) one.process.abandon();
  });
  for (const { process } of processes) {
    signal.throwIfAborted();
    process.start();
  }
  await Promise.all(processes.map(({ process }) => process.untilReady(START_TIMEOUT_MS)));
}

export async function stopInOrder(processes: Cluster['processes']): Promise<string[]> {
  const faults: string[] = [];
  for (const role of STOP_ORDER) {
    const ofRole = processes.filter((one) => one.role === role);
    const codes = await Promise.all(ofRole.map(({ process }) => process.stop()));
    for (const [index, code] of codes.entries()) {
      if (code !== 0)
        faults.push(
          `${ofRole[index]?.process.name} ended with ${code ?? 'no code: it was not there, or had to be killed'}`,
        );
    }
  }
  return faults;
}
