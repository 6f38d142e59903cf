// Socket nodes on a log, a history and a write side in memory, each node on an HTTP server of its own, with a clock that tests
// may move. The nodes, their sockets and the decisions are the real ones.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import pino from 'pino';
import { Registry } from 'prom-client';
import type { CommandPort } from '../../commands/client/command-port.ts';
import { type Codec, openCodec } from '../../event-log/codec/codec.ts';
import { folderSchemas } from '../../event-log/codec/folder-schemas.ts';
import type { EventLog, LogBatch, LogFollower } from '../../event-log/event-log.ts';
import { openMemoryEventLog } from '../../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../../event-log/memory/memory-store.ts';
import { partitionOf } from '../../event-log/partition-of.ts';
import { createTokenVerifier, signToken } from '../../platform/auth.ts';
import { createMemoryExpiringSets, type ExpiringSets } from '../../platform/expiring-sets.ts';
import { createHttpApp, listen } from '../../platform/http-app.ts';
import { uuidv7Ids } from '../../platform/ids.ts';
import { Lifecycle } from '../../platform/lifecycle.ts';
import { createMemoryPubSub, type PubSub } from '../../platform/pub-sub.ts';
import { createRateLimit } from '../../platform/rate-limit.ts';
import { openRealtimeRole, type RealtimeRole } from '../../realtime/role.ts';
import type { RoomSource } from '../../realtime/rooms/room-source.ts';
import { type Accepted, type CommandBody, streamOfRoom } from '../../schemas/commands.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { isRejection, REJECTIONS } from '../../schemas/rejections.ts';
import { openMemoryCommands } from './memory-commands.ts';
import { MemoryHistory } from './memory-history.ts';

export type RealtimeNode = {
  role: RealtimeRole;
  url: string;
  httpUrl: string;
  metrics: Registry;
  /** The first sample whose line begins so: a name, with labels where it has some. NaN where there is none. */
  metric(beginning: string): Promise<number>;
  /** The server's side of its TCP connections that are open. */
  connections(): Socket[];
  stop(): Promise<void>;
};

export type WorldOptions = {
  partitions?: number;
  /** The write side, where it is to be more than the decisions: one that knows a repeated command, for example. */
  commands?: CommandPort;
  /** Milliseconds that the nodes' clock is ahead of the real one; tests move it. */
  sets?: ExpiringSets;
  pubSub?: PubSub;
};

export type NodeOptions = {
  maxSockets?: number;
  maxRooms?: number;
  drainMs?: number;
  /** The node's own way to the write side, instead of the world's. */
  commands?: CommandPort;
  writesPerSecond?: number;
  port?: number;
  /** The node's own handle on the log, instead of the world's. */
  eventLog?: EventLog;
  /** Instead of the world's history in memory. */
  source?: RoomSource;
  /** The node's own connections to what nodes share, instead of the world's. */
  sets?: ExpiringSets;
  pubSub?: PubSub;
};

const SECRET = 'a secret for tests that is long enough';
const silent = pino({ level: 'silent' });

export class RealtimeWorld {
  readonly log: EventLog;
  readonly codec: Codec;
  readonly history = new MemoryHistory();
  readonly commands: CommandPort;
  readonly #sets: ExpiringSets;
  readonly #pubSub: PubSub;
  readonly #projector: LogFollower;
  readonly #nodes: RealtimeNode[] = [];
  #aheadMs = 0;

  constructor(log: EventLog, codec: Codec, options: WorldOptions) {
    this.log = log;
    this.codec = codec;
    this.commands = options.commands ?? openMemoryCommands(log, codec);
    this.#sets = options.sets ?? createMemoryExpiringSets({ clock: this.clock, maxMembers: 100_000 });
    this.#pubSub = options.pubSub ?? createMemoryPubSub();
    this.#projector = log.follow({
      from: new Map(Array.from({ length: log.partitions }, (_, partition) => [partition, 0])),
      handle: (batch) => this.#project(batch),
    });
    void this.#projector.run();
  }

  readonly clock = { now: (): number => Date.now() + this.#aheadMs };

  /** Moves the nodes' clock, second by second, with what happens every second. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 1_000) {
      this.#aheadMs += 1_000;
      for (const { role } of this.#nodes) role.tick();
    }
  }

  async openNode(options: NodeOptions = {}): Promise<RealtimeNode> {
    const lifecycle = new Lifecycle({ log: silent, onFailure: () => process.exit(1) });
    const metrics = new Registry();
    const role = await openRealtimeRole({
      settings: {
        maxSockets: options.maxSockets ?? 1_000,
        maxRooms: options.maxRooms ?? 1_000,
        drainMs: options.drainMs ?? 200,
      },
      frontendUrl: '*',
      lifecycle,
      logger: silent,
      metrics,
      eventLog: options.eventLog ?? this.log,
      codec: this.codec,
      source: options.source ?? this.history,
      commands: options.commands ?? this.commands,
      verifier: createTokenVerifier({ secret: SECRET }),
      writeLimit: createRateLimit({
        perSecond: options.writesPerSecond ?? 0,
        burst: options.writesPerSecond ?? 0,
        keyPrefix: 'writes',
      }),
      sets: options.sets ?? this.#sets,
      pubSub: options.pubSub ?? this.#pubSub,
      clock: this.clock,
      ids: uuidv7Ids,
    });
    const server = await this.#listen(role, metrics, options.port ?? 0);
    const connections = new Set<Socket>();
    server.on('connection', (socket) => {
      connections.add(socket);
      socket.once('close', () => connections.delete(socket));
    });
    const { port } = server.address() as AddressInfo;
    const node: RealtimeNode = {
      role,
      metrics,
      metric: async (beginning) => {
        const line = (await metrics.metrics()).split('\n').find((one) => one.startsWith(beginning));
        return Number(line?.split(' ').at(-1) ?? Number.NaN);
      },
      url: `ws://127.0.0.1:${port}`,
      httpUrl: `http://127.0.0.1:${port}`,
      connections: () => [...connections],
      stop: async () => {
        if (this.#nodes.includes(node)) this.#nodes.splice(this.#nodes.indexOf(node), 1);
        await lifecycle.stop();
        server.closeAllConnections();
        if (server.listening) await once(server.close(), 'close');
      },
    };
    this.#nodes.push(node);
    return node;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#nodes].map((node) => node.stop()));
    await this.#projector.stop();
    await this.log.close();
  }

  token(userId: string, more: { isOperator?: boolean; expiresInSeconds?: number } = {}): string {
    const { isOperator = false, expiresInSeconds = 3_600 } = more;
    return signToken({ userId, username: `the ${userId}`, isOperator }, SECRET, expiresInSeconds);
  }

  /** What a user does over REST. Fails when it is refused. */
  async act(userId: string, body: CommandBody): Promise<Accepted> {
    const outcome = await this.commands.execute({
      body,
      actor: { userId, username: `the ${userId}` },
      onBehalfOf: null,
      isOperator: false,
      commandId: randomUUID(),
      correlationId: randomUUID(),
      now: Date.now(),
    });
    if (isRejection(outcome)) throw new Error(`${body.type} was refused: ${outcome.rejected}`);
    return outcome;
  }

  /** A new room of these users; the first one owns it. */
  async room(...userIds: [string, ...string[]]): Promise<string> {
    return this.createRoom(`room-${randomUUID()}`, ...userIds);
  }

  /** The same in a partition of the test's choice. */
  async roomIn(partition: number, ...userIds: [string, ...string[]]): Promise<string> {
    let roomId: string;
    do roomId = `room-${randomUUID()}`;
    while (partitionOf(streamOfRoom(roomId), this.log.partitions) !== partition);
    return this.createRoom(roomId, ...userIds);
  }

  /** The same under that id. */
  async createRoom(roomId: string, ...[owner, ...others]: [string, ...string[]]): Promise<string> {
    const place = { roomId, spaceId: 'space-1', name: 'Lobby', description: '', isPrivate: false };
    await this.act(owner, { type: 'CreateRoom', ...place });
    for (const userId of others) await this.act(userId, { type: 'JoinRoom', roomId });
    return roomId;
  }

  say(userId: string, roomId: string, text: string): Promise<Accepted> {
    const message = { messageId: randomUUID(), text, replyTo: null, originalTime: null };
    return this.act(userId, { type: 'SendMessage', roomId, ...message });
  }

  async #listen(role: RealtimeRole, metrics: Registry, port: number): Promise<Server> {
    const app = createHttpApp({
      role: role.name,
      log: silent,
      metrics,
      problems: REJECTIONS,
      frontendUrl: '*',
      bodyLimitBytes: LIMITS.httpBodyBytes,
      ready: role.ready,
    });
    for (const route of role.routes) app.use(route);
    const server = await listen(app, port, '127.0.0.1');
    role.attach(server);
    return server;
  }

  #project({ partition, records, nextOffset }: LogBatch): void {
    for (const { value, offset } of records) {
      this.history.project(partition, Math.min(offset + 1, nextOffset), this.codec.decode(value));
    }
  }
}

export async function openRealtimeWorld(
  options: Omit<WorldOptions, 'commands'> & { openCommands?: (log: EventLog) => Promise<CommandPort> } = {},
): Promise<RealtimeWorld> {
  const { log } = openMemoryEventLog(new MemoryStore(options.partitions ?? 2));
  const commands = await options.openCommands?.(log);
  return new RealtimeWorld(log, await openCodec(folderSchemas()), commands ? { ...options, commands } : options);
}
