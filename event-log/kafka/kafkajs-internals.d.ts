// The parts of kafkajs 2.2.4 that have no public types and that the adapter uses: framing, connections and metadata. The version is
// pinned exactly and kafkajs-guards.ts refuses any other, because these files promise nobody anything.
declare module 'kafkajs/src/cluster/index.js' {
  import type { ISocketFactory } from 'kafkajs';

  class Cluster {
    constructor(options: {
      logger: import('kafkajs/src/loggers/index.js').RootLogger;
      socketFactory: ISocketFactory;
      brokers: string[];
      clientId: string;
      connectionTimeout: number;
      authenticationTimeout: number;
      requestTimeout: number;
      enforceRequestTimeout: boolean;
      metadataMaxAge: number;
      retry: { retries: number; initialRetryTime: number; maxRetryTime: number };
      allowAutoTopicCreation: boolean;
      maxInFlightRequests: number | null;
      isolationLevel: number;
    });
    connect(): Promise<void>;
    disconnect(): Promise<void>;
    addTargetTopic(topic: string): Promise<void>;
    findTopicPartitionMetadata(topic: string): { partitionId: number; leader: number }[];
    findBroker(options: { nodeId: string }): Promise<Broker>;
  }

  type Broker = {
    versions: Record<number, { minVersion: number; maxVersion: number } | undefined>;
    connectionPool: { getConnection(index: number): Promise<Connection> };
  };

  type Connection = {
    isConnected(): boolean;
    send<Answer>(protocol: {
      request: {
        apiKey: number;
        apiName: string;
        apiVersion: number;
        expectResponse(): boolean;
        encode(): Promise<{ buf: Buffer; buffer: Buffer }>;
      };
      response: {
        decode(payload: Buffer): Promise<{ clientSideThrottleTime: number; answer: Answer }>;
        parse(decoded: { answer: Answer }): Promise<Answer>;
      };
      logResponseError: boolean;
    }): Promise<Answer>;
  };

  export = Cluster;
}

declare module 'kafkajs/src/loggers/index.js' {
  export type RootLogger = { namespace(name: string): unknown };
  export function createLogger(options: { level: number; logCreator: () => () => void }): RootLogger;
}

declare module 'kafkajs/src/network/requestQueue/index.js' {
  class RequestQueue {
    pending: unknown[];
    scheduleCheckPendingRequests(): void;
  }
  export = RequestQueue;
}
