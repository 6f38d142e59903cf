// One WebSocket from its upgrade on: first without an identity, which allows nothing but an auth frame, then a session.
import type { Socket } from 'node:net';
import { type RawData, WebSocket } from 'ws';
import { type Identity, isTokenFault, type TokenFault } from '../../platform/auth.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { isRejection, type Rejection, reject } from '../../schemas/rejections.ts';
import { AuthFrame, parseRequest } from '../../schemas/requests.ts';
import { CLIENT_FRAMES, type ClientFrame, SERVER_FRAMES } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import { encodeFrame } from '../frames/encoded-frame.ts';
import { parseFrame } from './parse-frame.ts';
import { rejectionToError, Session, type SessionDeps } from './session.ts';
import { closeNameOfFault } from './ws-faults.ts';
import { WsTransport, type WsTransportNode, type WsTransportOwner } from './ws-transport.ts';

/** What all connections of the node share: each of many thousand idle ones should hold next to nothing of its own. */
export type WsConnectionNode = WsTransportNode &
  SessionDeps & {
    onAuthenticated: (connection: WsConnection) => void;
    onClosed: (connection: WsConnection) => void;
    /** The TCP connection has gone too. */
    onGone: (connection: WsConnection) => void;
  };

/** A WebSocket that knows its connection, so that listeners can be the same functions for all sockets. */
export class ConnectedWebSocket extends WebSocket {
  connection: WsConnection | null = null;
}

export class WsConnection implements WsTransportOwner {
  readonly transport: WsTransport;
  readonly ws: ConnectedWebSocket;
  /** The gateway's: on which of the wheel's spokes it hangs. */
  spoke = 0;
  readonly #node: WsConnectionNode;
  readonly #authenticateBefore: number;
  #session: Session | null = null;
  #earlyFrames = 0;
  #isClosed = false;

  constructor(ws: ConnectedWebSocket, socket: Socket, node: WsConnectionNode) {
    this.ws = ws;
    this.#node = node;
    this.#authenticateBefore = node.now() + LIMITS.authenticationMs;
    this.transport = new WsTransport(ws, socket, this, node);
    ws.connection = this;
    ws.on('message', onMessage);
    ws.on('ping', onControl);
    ws.on('pong', onControl);
    ws.on('close', onClose);
    ws.on('error', onError);
  }

  /** Whether frames of the client still wait for their answer. */
  get isBusy(): boolean {
    return this.#session?.isBusy ?? false;
  }

  stopReading(): void {
    if (this.#session) this.#session.stopReading();
    else this.transport.pauseReading();
  }

  /** Asks for a sign of life, and gives one: how far the client's rooms are. Says how many frames that were. */
  beat(): number {
    this.transport.checkAlive();
    return 1 + (this.#session?.beat() ?? 0);
  }

  /** Once a second as long as there is no token: the time for it may have run out. */
  awaitToken(now: number): void {
    if (now >= this.#authenticateBefore) this.transport.close('authenticationTimeout');
  }

  /** What a token said, in the handshake or in an auth frame. */
  authenticate(authentication: Identity | TokenFault): void {
    if (isTokenFault(authentication)) {
      this.transport.close(authentication.fault === 'token_expired' ? 'tokenExpired' : 'tokenInvalid');
      return;
    }
    this.#session = new Session(authentication, this.transport, this.#node);
    this.#node.onAuthenticated(this);
    this.#session.greet();
  }

  transportClosed(): void {
    this.#isClosed = true;
    this.#session?.end();
    this.#node.onClosed(this);
  }

  /** `ws` closes the socket itself after a fault of the protocol (1002, 1007, 1009 …); its end follows. */
  failed(error: Error): void {
    const name = closeNameOfFault(error);
    if (name !== null) this.#node.metrics.closed(name);
    this.transport.closedByPeer();
  }

  ended(): void {
    this.transport.closedByPeer();
    this.#node.onGone(this);
  }

  receive(data: RawData, isBinary: boolean): void {
    if (this.#isClosed) return;
    this.transport.heard();
    if (isBinary) {
      this.transport.close('unsupportedData');
      return;
    }
    // With ws' default binaryType every message is one Buffer.
    const frame = parseFrame((data as Buffer).toString('utf8'));
    if (this.#session === null) this.#receiveEarly(frame);
    else if (frame === null) this.#session.receiveMalformed();
    else this.#session.receive(frame.event, frame.data, this.#replyTo(frame));
  }

  /** Without an identity only auth is allowed; whatever comes with it waits for nothing, since checking a token takes no time. */
  #receiveEarly(frame: ClientFrame | null): void {
    if (frame?.event !== CLIENT_FRAMES.auth) {
      this.#earlyFrames += 1;
      this.#refuse(frame, reject(frame === null ? 'malformed_frame' : 'token_missing'));
      if (this.#earlyFrames > BOUNDS.badFrames) this.transport.close('tooManyBadFrames');
      return;
    }
    const auth = parseRequest(AuthFrame, frame.data);
    if (isRejection(auth)) {
      this.#refuse(frame, auth);
      this.transport.close('tokenInvalid');
      return;
    }
    const authentication = this.#node.verifier.verify(auth.token);
    if (isTokenFault(authentication)) {
      this.#refuse(frame, reject(authentication.fault));
    } else {
      const { userId, username } = authentication;
      this.#replyTo(frame)?.({ data: { userId, username } });
    }
    this.authenticate(authentication);
  }

  #refuse(frame: ClientFrame | null, rejection: Rejection): void {
    this.#node.metrics.refused(rejection.rejected);
    const error = rejectionToError(rejection);
    const reply = frame === null ? null : this.#replyTo(frame);
    if (reply) reply({ error });
    else this.transport.send(encodeFrame(SERVER_FRAMES.error, { ...error, event: frame?.event ?? null }));
  }

  #replyTo(frame: ClientFrame) {
    return frame.ref === undefined ? null : this.transport.replyTo(frame.ref);
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  connectionOf(this)?.receive(data, isBinary);
}

function onControl(this: WebSocket): void {
  connectionOf(this)?.transport.heardControl();
}

function onClose(this: WebSocket): void {
  connectionOf(this)?.ended();
}

function onError(this: WebSocket, error: Error): void {
  connectionOf(this)?.failed(error);
}

function connectionOf(ws: WebSocket): WsConnection | null {
  return (ws as ConnectedWebSocket).connection;
}
