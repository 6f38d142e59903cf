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
import { beatAll } from './beat-all.ts';
import { Session, type SessionDeps } from './session.ts';
import { SocketIoTransport } from './socket-io-transport.ts';
import type { Answer, Reply } from './transport.ts';

export type SocketIoGatewayDeps = SessionDeps & {
  metrics: RealtimeMetrics;
  /** Ends with a slash. */
  path: string;
  /** Origins that browsers may connect from; `*` allows all. Comma-separated. */
  frontendUrl: string;
  otherSockets: () => number;
  maxSockets: number;
};

const ROOM_ID_EVENTS: ReadonlySet<string> = new Set([
  CLIENT_FRAMES.joinRoom,
  CLIENT_FRAMES.leaveRoom,
  CLIENT_FRAMES.typing,
  CLIENT_FRAMES.stopTyping,
]);

/** `spoke`: the second of the round in which it has its heartbeats. */
type Connection = { transport: SocketIoTransport; session: Session; spoke: number };

const SPOKES = BOUNDS.pingEveryMs / 1_000;

export class SocketIoGateway {
  readonly #deps: SocketIoGatewayDeps;
  readonly #io: Server;
  readonly #connections = new Set<Connection>();
  #isAttached = false;
  #spoke = 0;
  #nextSpoke = 0;
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
      socket.data = identity;
      next();
    });
    this.#io.on('connection', (socket) => this.#open(socket));
  }

  get socketCount(): number {
    return this.#connections.size;
  }

  attach(server: HttpServer): void {
    this.#isAttached = true;
    this.#io.attach(server);
  }

  /** Once a second: tokens may have run out. */
  tick(): void {
    const now = this.#deps.now();
    this.#spoke = (this.#spoke + 1) % SPOKES;
    const due: Session[] = [];
    for (const connection of this.#connections) {
      if (now >= connection.session.identity.expiresAt) connection.transport.close('tokenExpired');
      else if (connection.spoke === this.#spoke) due.push(connection.session);
    }
    beatAll(due);
  }

  async stop(): Promise<void> {
    this.#isDraining = true;
    for (const { transport } of [...this.#connections]) transport.close('draining');
    // Not io.close(), which would close the HTTP server as well; that is its owner's.
    if (this.#isAttached) this.#io.engine.close();
  }

  #isFull(): boolean {
    // The engine's count has those in it that have not shown a token yet.
    return this.#isDraining || this.#io.engine.clientsCount + this.#deps.otherSockets() >= this.#deps.maxSockets;
  }

  #open(socket: Socket): void {
    const transport = new SocketIoTransport({
      socket,
      metrics: this.#deps.metrics,
      onClosed: () => {
        session.end();
        this.#connections.delete(connection);
      },
    });
    const session = new Session(socket.data as Identity, transport, this.#deps);
    const spoke = this.#nextSpoke;
    this.#nextSpoke = (spoke + 1) % SPOKES;
    const connection = { transport, session, spoke };
    this.#connections.add(connection);
    socket.on('disconnect', () => transport.closedByPeer());
    socket.onAny((event: string, ...args: unknown[]) => receive(session, event, args));
    session.greet();
  }
}

/** One argument is the frame's data, a function behind it the acknowledgement; anything else is no frame. */
function receive(session: Session, event: string, args: unknown[]): void {
  const acknowledge = args.at(-1);
  const reply = typeof acknowledge === 'function' ? toReply(args.pop()) : null;
  if (args.length > 1) {
    session.receiveMalformed();
    return;
  }
  const [data] = args;
  const isRoomId = typeof data === 'string' && ROOM_ID_EVENTS.has(event);
  session.receive(event, isRoomId ? { roomId: data } : data, reply);
}

function toReply(acknowledge: unknown): Reply {
  return (answer) => (acknowledge as (answer: Answer) => void)(answer);
}

function tokenOf(socket: Socket): string | undefined {
  const { token } = socket.handshake.auth as { token?: unknown };
  return typeof token === 'string' ? token : bearerToken(socket.handshake.headers.authorization);
}

/** The client's connect_error has the code as its message, and again in `data` with a text for people. */
function connectError(code: RejectionCode): Error {
  return Object.assign(new Error(code), { data: { code, message: REJECTIONS[code].title } });
}
