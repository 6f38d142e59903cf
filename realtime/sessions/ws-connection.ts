// One WebSocket from its upgrade on: first without an identity, which allows nothing but an auth frame, then a session.
import type { RawData, WebSocket } from 'ws';
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
import { WsTransport, type WsTransportDeps } from './ws-transport.ts';

export type WsConnectionDeps = Omit<WsTransportDeps, 'onClosed'> &
  SessionDeps & {
    onAuthenticated: (connection: WsConnection) => void;
    onClosed: (connection: WsConnection) => void;
  };

export class WsConnection {
  readonly transport: WsTransport;
  readonly #deps: WsConnectionDeps;
  readonly #authenticateBefore: number;
  #session: Session | null = null;
  #earlyFrames = 0;
  #isClosed = false;

  /** `authentication`: what a token in the handshake said, or null where there was none. */
  constructor(authentication: Identity | TokenFault | null, deps: WsConnectionDeps) {
    this.#deps = deps;
    this.#authenticateBefore = deps.now() + LIMITS.authenticationMs;
    this.transport = new WsTransport({ ...deps, onClosed: () => this.#end() });
    this.#listen(deps.ws);
    if (authentication) this.#authenticate(authentication);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get isAuthenticated(): boolean {
    return this.#session !== null;
  }

  /** Whether frames of the client still wait for their answer. */
  get isBusy(): boolean {
    return (this.#session?.inFlight ?? 0) > 0;
  }

  /** Once a second: a token or its time may have run out. */
  tick(now: number): void {
    if (this.#session === null) {
      if (now >= this.#authenticateBefore) this.transport.close('authenticationTimeout');
    } else if (now >= this.#session.identity.expiresAt) {
      this.transport.close('tokenExpired');
    }
  }

  #listen(ws: WebSocket): void {
    ws.on('message', (data, isBinary) => this.#receive(data, isBinary));
    const onControl = (): void => this.transport.heardControl();
    ws.on('ping', onControl);
    ws.on('pong', onControl);
    ws.on('close', () => this.transport.closedByPeer());
    // `ws` closes the socket itself after a fault of the protocol (1002, 1007, 1009 …); the close event follows.
    ws.on('error', (error) => {
      const name = closeNameOfFault(error);
      if (name !== null) this.#deps.metrics.closed(name);
      this.transport.closedByPeer();
    });
  }

  #receive(data: RawData, isBinary: boolean): void {
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
    const authentication = this.#deps.verifier.verify(auth.token);
    if (isTokenFault(authentication)) {
      this.#refuse(frame, reject(authentication.fault));
    } else {
      const { userId, username } = authentication;
      this.#replyTo(frame)?.({ data: { userId, username } });
    }
    this.#authenticate(authentication);
  }

  #authenticate(authentication: Identity | TokenFault): void {
    if (isTokenFault(authentication)) {
      this.transport.close(authentication.fault === 'token_expired' ? 'tokenExpired' : 'tokenInvalid');
      return;
    }
    this.#session = new Session(authentication, this.transport, this.#deps);
    this.#deps.onAuthenticated(this);
    this.#session.greet();
  }

  #refuse(frame: ClientFrame | null, rejection: Rejection): void {
    this.#deps.metrics.refused(rejection.rejected);
    const error = rejectionToError(rejection);
    const reply = frame === null ? null : this.#replyTo(frame);
    if (reply) reply({ error });
    else this.transport.send(encodeFrame(SERVER_FRAMES.error, { ...error, event: frame?.event ?? null }));
  }

  #replyTo(frame: ClientFrame) {
    return frame.ref === undefined ? null : this.transport.replyTo(frame.ref);
  }

  #end(): void {
    this.#isClosed = true;
    this.#session?.end();
    this.#deps.onClosed(this);
  }
}
