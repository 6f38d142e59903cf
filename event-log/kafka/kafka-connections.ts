// Connections to the leaders of one topic's partitions, one to each broker. kafkajs does the framing and the metadata; when anything
// breaks, everything is thrown away and made anew, so that none of its own paths of recovery is relied on. Nothing is retried
// here, because only the caller knows whether a repetition is harmless.
//
// @NOTE One use has one KafkaConnections: a broker works off one request of a connection at a time, so a fetch that waits for
// records would hold up an append behind it. And kafkajs opens two sockets when two calls find one connection closed at once;
// here each connection is opened once and never reopened.
import type { Socket } from 'node:net';
import Cluster from 'kafkajs/src/cluster/index.js';
import { createLogger } from 'kafkajs/src/loggers/index.js';
import { withDeadline } from '../../platform/lifecycle.ts';
import { LogUnavailableError } from '../event-log.ts';
import { GROUP_VERSIONS } from './group-requests.ts';
import { type BrokerAddress, destroySockets, socketFactory } from './kafkajs-guards.ts';
import { type KafkaRequest, SPOKEN_VERSIONS } from './requests.ts';

export type ConnectionOptions = {
  brokers: readonly string[];
  topic: string;
  clientId: string;
  /** Milliseconds for opening one connection. */
  connectTimeoutMs: number;
  /** Milliseconds until a request without an answer fails, and until opening does. */
  requestTimeoutMs: number;
  /** Where a broker is really reached, when that is not where it says. */
  route: (broker: BrokerAddress) => BrokerAddress;
};

export type KafkaConnection = {
  /** Rejects with whatever broke, or after the time-out. What was sent may have arrived or not. */
  send<Answer>(request: KafkaRequest<Answer>, timeoutMs?: number): Promise<Answer>;
  /** Says that something is wrong with it: nobody gets it again, and what is in flight on it has until its time-out. */
  retire(): void;
};

/** What appending and reading need of them. */
export type LeaderConnections = Pick<KafkaConnections, 'toLeader'>;

type Broker = Awaited<ReturnType<Cluster['findBroker']>>;
type RawConnection = Awaited<ReturnType<Broker['connectionPool']['getConnection']>>;

/** All that was opened together and is thrown away together. */
type Generation = {
  cluster: Cluster;
  sockets: Set<Socket>;
  opened: Promise<void>;
  leaderByPartition: Map<number, number>;
  openingByNode: Map<number, Promise<RawConnection>>;
  connections: RawConnection[];
  giveUp: NodeJS.Timeout | undefined;
  /** Aborted when all of it has been given up. */
  ended: AbortController;
};

export class KafkaConnections {
  readonly #options: ConnectionOptions;
  /** The current one and those retired whose requests have not timed out yet. */
  readonly #generations = new Set<Generation>();
  #current: Generation | undefined;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** The partitions by the node that leads them now, -1 where none does. Throws LogUnavailableError. */
  async leaders(partitions: Iterable<number>): Promise<Map<number, number[]>> {
    const { leaderByPartition } = await this.#open();
    const partitionsByNode = new Map<number, number[]>();
    for (const partition of partitions) {
      const node = leaderByPartition.get(partition) ?? -1;
      partitionsByNode.set(node, [...(partitionsByNode.get(node) ?? []), partition]);
    }
    return partitionsByNode;
  }

  /** A connection to the partition's leader. Throws LogUnavailableError: nothing was sent then. */
  async toLeader(partition: number): Promise<KafkaConnection> {
    const { leaderByPartition } = await this.#open();
    return await this.toNode(leaderByPartition.get(partition) ?? -1);
  }

  /** A connection to a node that `leaders` told of. Throws LogUnavailableError: nothing was sent then. */
  async toNode(node: number): Promise<KafkaConnection> {
    const generation = await this.#open();
    const opening = generation.openingByNode.get(node) ?? connectTo(generation, node);
    generation.openingByNode.set(node, opening);
    try {
      const connection = await withDeadline(opening, this.#options.requestTimeoutMs);
      return {
        send: (request, timeoutMs = this.#options.requestTimeoutMs) =>
          withDeadline(sendOn(connection, request), timeoutMs),
        retire: () => this.#retire(generation),
      };
    } catch (error) {
      this.#retire(generation);
      throw unavailable(error);
    }
  }

  /** Ends everything at once; requests in flight fail, and so does every later call. */
  close(): void {
    this.#closed = true;
    this.#current = undefined;
    for (const generation of this.#generations) this.#destroy(generation);
  }

  async #open(): Promise<Generation> {
    if (this.#closed) throw new LogUnavailableError('the event log is closed');
    // A broker ends connections that were idle for long. That shows before anything is sent, so it costs nothing but this line.
    if (this.#current?.connections.some((connection) => !connection.isConnected())) this.#retire(this.#current);
    const generation = this.#current ?? this.#begin();
    try {
      await withDeadline(generation.opened, this.#options.requestTimeoutMs);
    } catch (error) {
      this.#destroy(generation);
      throw unavailable(error);
    }
    if (!this.#generations.has(generation))
      throw new LogUnavailableError('the connection was given up while it opened');
    return generation;
  }

  #begin(): Generation {
    const generation = newGeneration(this.#options);
    this.#generations.add(generation);
    this.#current = generation;
    return generation;
  }

  #retire(generation: Generation): void {
    if (this.#current === generation) this.#current = undefined;
    if (generation.giveUp !== undefined || !this.#generations.has(generation)) return;
    generation.giveUp = setTimeout(() => this.#destroy(generation), this.#options.requestTimeoutMs);
  }

  #destroy(generation: Generation): void {
    if (this.#current === generation) this.#current = undefined;
    clearTimeout(generation.giveUp);
    this.#generations.delete(generation);
    generation.ended.abort();
    destroySockets(generation.sockets, 'the connection was given up');
  }
}

function newGeneration(options: ConnectionOptions): Generation {
  const sockets = new Set<Socket>();
  const ended = new AbortController();
  const cluster = new Cluster({
    // What kafkajs would log is told by the errors that reach the caller.
    logger: createLogger({ level: 0, logCreator: () => () => undefined }),
    socketFactory: socketFactory(sockets, options.route, ended.signal),
    // Started anywhere, so that a dead broker at the head of the list does not delay everybody's every attempt.
    brokers: rotated(options.brokers),
    clientId: options.clientId,
    connectionTimeout: options.connectTimeoutMs,
    authenticationTimeout: options.connectTimeoutMs,
    requestTimeout: options.requestTimeoutMs,
    // kafkajs looks ten times a second at every connection for it; the deadlines here cost nothing while nothing is asked.
    enforceRequestTimeout: false,
    metadataMaxAge: Number.MAX_SAFE_INTEGER,
    retry: { retries: options.brokers.length - 1, initialRetryTime: 10, maxRetryTime: 100 },
    allowAutoTopicCreation: false,
    maxInFlightRequests: null,
    isolationLevel: 0,
  });
  const leaderByPartition = new Map<number, number>();
  const opened = openCluster(cluster, options.topic, leaderByPartition);
  return {
    cluster,
    sockets,
    ended,
    opened,
    leaderByPartition,
    openingByNode: new Map(),
    connections: [],
    giveUp: undefined,
  };
}

async function openCluster(cluster: Cluster, topic: string, leaderByPartition: Map<number, number>): Promise<void> {
  await cluster.connect();
  await cluster.addTargetTopic(topic);
  for (const { partitionId, leader } of cluster.findTopicPartitionMetadata(topic)) {
    leaderByPartition.set(partitionId, leader);
  }
}

function rotated(brokers: readonly string[]): string[] {
  const first = Math.floor(Math.random() * brokers.length);
  return [...brokers.slice(first), ...brokers.slice(0, first)];
}

async function connectTo({ cluster, connections }: Generation, node: number): Promise<RawConnection> {
  if (node < 0) throw new Error('the partition has no leader now');
  const broker = await cluster.findBroker({ nodeId: String(node) });
  for (const { apiName, apiKey, apiVersion } of [...SPOKEN_VERSIONS, ...GROUP_VERSIONS]) {
    const range = broker.versions[apiKey];
    if (range === undefined || range.minVersion > apiVersion || range.maxVersion < apiVersion) {
      throw new Error(`broker ${node} does not speak ${apiName} version ${apiVersion}: Kafka 2.3 to 4.x does`);
    }
  }
  const connection = await broker.connectionPool.getConnection(0);
  connections.push(connection);
  return connection;
}

async function sendOn<Answer>(
  connection: RawConnection,
  { apiKey, apiName, apiVersion, encode, decode }: KafkaRequest<Answer>,
): Promise<Answer> {
  return await connection.send<Answer>({
    request: {
      apiKey,
      apiName,
      apiVersion,
      expectResponse: () => true,
      encode: async () => {
        const bytes = encode();
        return { buf: bytes, buffer: bytes };
      },
    },
    response: {
      decode: async (payload) => {
        const { throttleMs, answer } = decode(payload);
        return { clientSideThrottleTime: throttleMs, answer };
      },
      parse: async ({ answer }) => answer,
    },
    logResponseError: false,
  });
}

function unavailable(error: unknown): LogUnavailableError {
  if (error instanceof LogUnavailableError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new LogUnavailableError(`Kafka cannot be reached: ${reason}`, { cause: error });
}
