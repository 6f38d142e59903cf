// Unmodified socket.io clients, over WebSocket and polling, on the same HTTP server and over the same hub. The differences to the
// bare WebSocket are only in how things are said: the handshake's auth object, acknowledgements, and a plain room id as data.
import type { Server as HttpServer } from 'node:http';
import { Server, type Socket } from 'socket.io';
import { bearerToken, type Identity, isTokenFault } from '../../platform/auth.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { REJECTIONS, type RejectionCode } from '../../schemas/rejections.ts';
import { CLIENT_FRAMES } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import type { Backlog } from './backlog.ts';
import { type DrainDeps, drain, untilGone } from './drain.ts';
import { HeartbeatWheel } from './heartbeat-wheel.ts';
import { Session, type SessionDeps } from './session.ts';
import { SocketIoTransport } from './socket-io-transport.ts';
import type { Answer } from './transport.ts';
import type { TurnQueue } from './turn-queue.ts';

export type SocketIoGatewayDeps = SessionDeps & {
  turns: TurnQueue;
  backlog: Backlog;
  metrics: RealtimeMetrics;
  /** Ends with a slash. */
  path: string;
  /** Origins that browsers may connect from; `*` allows all. Comma-separated. */
  frontendUrl: string;
  draining: DrainDeps;
  otherSockets: () => number;
  maxSockets: number;
};

type Acknowledge = (answer: Answer) => void;

const ROOM_ID_EVENTS: ReadonlySet<string> = new Set([
  CLIENT_FRAMES.joinRoom,
  CLIENT_FRAMES.leaveRoom,
  CLIENT_FRAMES.typing,
  CLIENT_FRAMES.stopTyping,
]);

export class SocketIoGateway {
  readonly #deps: SocketIoGatewayDeps;
  readonly #io: Server;
  readonly #wheel = new HeartbeatWheel<Session>();
  readonly #taken = new WeakSet<Socket['conn']>();
  #isAttached = false;
  #isDraining = false;

  constructor(deps: SocketIoGatewayDeps) {
    this.#deps = deps;
    const origins = deps.frontendUrl.split(',').map((origin) => origin.trim().replace(/\/$/, ''));
    this.#io = new Server({
      path: deps.path,
      serveClient: true,
      // Other upgrades are the bare WebSockets'.
      destroyUpgrade: false,
      maxHttpBufferSize: LIMITS.frameBytes,
      perMessageDeflate: false,
      httpCompression: false,
      pingInterval: BOUNDS.pingEveryMs,
      pingTimeout: BOUNDS.pingEveryMs,
      connectTimeout: LIMITS.authenticationMs,
      cors: { origin: origins.includes('*') ? '*' : origins },
      allowRequest: (_request, decide) => decide(null, !this.#isFull()),
    });
    this.#io.use((socket, next) => {
      const identity = deps.verifier.verify(tokenOf(socket));
      if (isTokenFault(identity)) return next(connectError(identity.fault));
      // A connection is one session, and counts as one. A client that says CONNECT again before the first one is done is refused.
      if (this.#taken.has(socket.conn)) return next(connectError('busy'));
      this.#taken.add(socket.conn);
      socket.data = identity;
      next();
    });
    this.#io.on('connection', (socket) => this.#open(socket));
  }

  get socketCount(): number {
    return this.#wheel.size;
  }

  attach(server: HttpServer): void {
    this.#isAttached = true;
    this.#io.attach(server);
  }

  /** Once a second: heartbeats of those whose turn it is. */
  tick(): void {
    this.#wheel.tick();
  }

  /** Takes no new sockets and sends all away: see drain.ts. */
  async stop(): Promise<void> {
    this.#isDraining = true;
    await drain(this.#wheel.all(), this.#deps.draining);
    // A client that polls takes its last words with its next poll; the engine would throw them away.
    const { engine } = this.#io;
    if (this.#isAttached) await untilGone({ size: () => engine.clientsCount }, this.#deps.draining);
    // Not io.close(), which would close the HTTP server as well; that is its owner's.
    if (this.#isAttached) engine.close();
  }

  #isFull(): boolean {
    // The engine's count has those in it that have not shown a token yet.
    return this.#isDraining || this.#io.engine.clientsCount + this.#deps.otherSockets() >= this.#deps.maxSockets;
  }

  #open(socket: Socket): void {
    const transport = new SocketIoTransport({
      ...this.#deps,
      socket,
      onClosed: () => {
        session.end();
        this.#wheel.remove(session, spoke);
      },
    });
    const session = new Session(socket.data as Identity, transport, this.#deps);
    const spoke = this.#wheel.add(session);
    socket.on('disconnect', () => transport.closedByPeer());
    socket.onAny((event: string, ...args: unknown[]) => receive(session, transport, event, args));
    session.greet();
  }
}

/** One argument is the frame's data, a function behind it the acknowledgement; anything else is no frame. */
function receive(session: Session, transport: SocketIoTransport, event: string, args: unknown[]): void {
  const acknowledge = args.at(-1);
  const reply = typeof acknowledge === 'function' ? transport.replyTo(args.pop() as Acknowledge) : null;
  if (args.length > 1) {
    session.receiveMalformed();
    return;
  }
  const [data] = args;
  const isRoomId = typeof data === 'string' && ROOM_ID_EVENTS.has(event);
  session.receive(event, isRoomId ? { roomId: data } : data, reply);
}

function tokenOf(socket: Socket): string | undefined {
  const { token } = socket.handshake.auth as { token?: unknown };
  return typeof token === 'string' ? token : bearerToken(socket.handshake.headers.authorization);
}

/** The client's connect_error has the code as its message, and again in `data` with a text for people. */
function connectError(code: RejectionCode): Error {
  return Object.assign(new Error(code), { data: { code, message: REJECTIONS[code].title } });
}
