// Bare WebSockets on every path of the HTTP server that is not socket.io's: upgrades, heartbeats on a wheel, draining.
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { type ServerOptions, type Server as SocketServer, WebSocketServer } from 'ws';
import { bearerToken, type Identity, type TokenFault } from '../../platform/auth.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { BOUNDS } from '../bounds.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import type { Backlog } from './backlog.ts';
import { type DrainDeps, drain, untilGone } from './drain.ts';
import { HeartbeatWheel } from './heartbeat-wheel.ts';
import type { SessionDeps } from './session.ts';
import type { TurnQueue } from './turn-queue.ts';
import { ConnectedWebSocket, WsConnection, type WsConnectionNode } from './ws-connection.ts';

export type WsGatewayDeps = SessionDeps & {
  turns: TurnQueue;
  backlog: Backlog;
  metrics: RealtimeMetrics;
  draining: DrainDeps;
  /** Upgrades to this path prefix belong to socket.io. */
  socketIoPath: string;
  /** Sockets there are beside the bare WebSockets; they count for the same bound. */
  otherSockets: () => number;
  /** One more is answered with 503. */
  maxSockets: number;
};

const RETRY_AFTER_SECONDS = 2;
/** The subprotocol under which a browser hands over its token: `['bearer', token]`. */
const BEARER = 'bearer';
const TOKEN_PATTERN = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** The first two are missing in the type package. */
const SERVER_OPTIONS: ServerOptions<typeof ConnectedWebSocket> & { closeTimeout: number; maxPendingAutoPongs: number } =
  {
    WebSocket: ConnectedWebSocket,
    closeTimeout: BOUNDS.closeGraceMs,
    // `ws` would cut a socket without a code; BOUNDS.controlFrames bounds the pongs that wait, too.
    maxPendingAutoPongs: 0,
    noServer: true,
    clientTracking: false,
    // Compressing the same frame for every socket again would cost more than everything else together.
    perMessageDeflate: false,
    maxPayload: LIMITS.frameBytes,
    maxFragments: BOUNDS.fragmentsPerMessage,
    maxBufferedChunks: BOUNDS.chunksPerFrame,
    handleProtocols: (protocols) => (protocols.has(BEARER) ? BEARER : ([...protocols][0] ?? false)),
  };

export class WsGateway {
  readonly #deps: WsGatewayDeps;
  readonly #node: WsConnectionNode;
  readonly #server: SocketServer<typeof ConnectedWebSocket>;
  readonly #wheel = new HeartbeatWheel<WsConnection>();
  /** Closed ones whose TCP connection is still there. */
  readonly #lingering = new Set<WsConnection>();
  readonly #unauthenticated = new Set<WsConnection>();
  #isDraining = false;

  constructor(deps: WsGatewayDeps) {
    this.#deps = deps;
    this.#node = {
      ...deps,
      onAuthenticated: (connection) => void this.#unauthenticated.delete(connection),
      onClosed: (connection) => this.#closed(connection),
      onGone: (connection) => void this.#lingering.delete(connection),
    };
    this.#server = new WebSocketServer(SERVER_OPTIONS);
  }

  get socketCount(): number {
    return this.#wheel.size;
  }

  attach(server: Server): void {
    server.on('upgrade', (request, socket, head) => {
      if (!request.url?.startsWith(this.#deps.socketIoPath)) this.#upgrade(request, socket as Socket, head);
    });
  }

  /** Once a second. */
  tick(): void {
    const now = this.#deps.now();
    for (const connection of this.#unauthenticated) connection.awaitToken(now);
    this.#wheel.tick();
  }

  /** Takes no new sockets, sends all away (see drain.ts), and cuts those that stay. */
  async stop(): Promise<void> {
    this.#isDraining = true;
    const { draining } = this.#deps;
    await drain(this.#wheel.all(), draining);
    await untilGone({ size: () => this.#lingering.size }, draining);
    for (const { ws } of this.#lingering) ws.terminate();
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const token = tokenOf(request);
    const isFull = this.socketCount + this.#deps.otherSockets() >= this.#deps.maxSockets;
    const isFlooded = token === undefined && this.#unauthenticated.size >= BOUNDS.unauthenticatedSockets;
    if (this.#isDraining || isFull || isFlooded) {
      refuseUpgrade(socket);
      return;
    }
    this.#server.handleUpgrade(request, socket, head, (ws) => {
      this.#open(ws, socket, token === undefined ? null : this.#deps.verifier.verify(token));
    });
  }

  #open(ws: ConnectedWebSocket, socket: Socket, authentication: Identity | TokenFault | null): void {
    const connection = new WsConnection(ws, socket, this.#node);
    connection.spoke = this.#wheel.add(connection);
    this.#unauthenticated.add(connection);
    if (authentication) connection.authenticate(authentication);
  }

  #closed(connection: WsConnection): void {
    this.#unauthenticated.delete(connection);
    this.#wheel.remove(connection, connection.spoke);
    this.#lingering.add(connection);
  }
}

/**
 * The token of the handshake: `Authorization: Bearer`, else the subprotocol after `bearer`, else a single subprotocol that is
 * itself a token. Never the URL, which ends up in the logs of everything on the way.
 */
function tokenOf(request: IncomingMessage): string | undefined {
  const token = bearerToken(request.headers.authorization);
  if (token !== undefined) return token;
  const offered = request.headers['sec-websocket-protocol']?.split(',').map((protocol) => protocol.trim()) ?? [];
  const [first, second] = offered;
  if (first === BEARER) return second;
  return offered.length === 1 && first !== undefined && TOKEN_PATTERN.test(first) ? first : undefined;
}

function refuseUpgrade(socket: Socket): void {
  // The client may be gone already; there is nothing to tell anybody then.
  socket.on('error', () => socket.destroy());
  socket.end(
    `HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: ${RETRY_AFTER_SECONDS}\r\nContent-Length: 0\r\n\r\n`,
    () => socket.destroy(),
  );
}
