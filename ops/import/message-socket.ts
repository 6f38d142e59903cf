// Sends messages as frames over one WebSocket, many in flight, in the order given. The server decides the frames of one socket in
// their order, so pipelining does not change the order of a room. After a "not now", or when the socket breaks, nothing new is
// sent until every frame in flight is settled; then the unsettled ones go again, in order, under the same commandIds.
import { setTimeout as sleep } from 'node:timers/promises';
import { type RawData, WebSocket } from 'ws';
import { CLOSE_CODES } from '../../schemas/close-codes.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { CLIENT_FRAMES } from '../../schemas/wire.ts';
import type { MessageStep } from './planner.ts';
import { UnreachableError, unreachable } from './rest-client.ts';
import { backoffMs, GivingUpError, isHopeless, isNotNow, MAX_ATTEMPTS } from './retry.ts';

export type MessageSocketDeps = {
  url: URL;
  token: string;
  /** The message was accepted (null), or refused for good with this code. */
  onSettled: (step: MessageStep, refusal: string | null) => void;
  /** The socket is whole again and has nothing to send again. */
  onReady: () => void;
  /** No further message can be sent. Called once. */
  onFailure: (error: Error) => void;
};

type Answer = { ref?: unknown; error?: { code?: unknown; message?: unknown } };

/** Milliseconds without any answer to frames in flight, after which the socket counts as broken. */
const ANSWER_TIMEOUT_MS = 30_000;

export class MessageSocket {
  readonly #deps: MessageSocketDeps;
  readonly #inFlight = new Map<number, MessageStep>();
  readonly #newestLineByRoom = new Map<string, number>();
  #again: MessageStep[] = [];
  #socket: WebSocket | null = null;
  #nextRef = 1;
  #attempts = 0;
  #misplaced = 0;
  #recovering = false;
  #answered = false;
  #closed = false;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(deps: MessageSocketDeps) {
    this.#deps = deps;
  }

  /** Whether a further message may be sent now. */
  get canSend(): boolean {
    return this.#socket !== null && this.#again.length === 0 && this.#inFlight.size < LIMITS.framesInFlightPerSocket;
  }

  /** Whether every message sent is settled. */
  get isIdle(): boolean {
    return this.#inFlight.size === 0 && this.#again.length === 0;
  }

  /** Messages that stand behind later ones of their room, because the server said "not now" to them alone. */
  get misplaced(): number {
    return this.#misplaced;
  }

  /** Rejects with UnreachableError or GivingUpError. */
  async open(): Promise<void> {
    await this.#connect();
    this.#watchdog = setInterval(() => this.#breakWhenStuck(), ANSWER_TIMEOUT_MS / 2);
  }

  send(step: MessageStep): void {
    const ref = this.#nextRef++;
    this.#inFlight.set(ref, step);
    const data = {
      roomId: step.roomId,
      message: step.text,
      commandId: step.commandId,
      originalTime: step.originalTime,
      onBehalfOf: { userId: step.user, username: step.user },
      ...(step.replyTo === null ? {} : { replyTo: step.replyTo }),
    };
    this.#socket?.send(JSON.stringify({ event: CLIENT_FRAMES.sendMessage, data, ref }));
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#watchdog);
    this.#socket?.close();
    this.#socket = null;
  }

  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(this.#deps.url, {
        headers: { authorization: `Bearer ${this.#deps.token}` },
        perMessageDeflate: false,
        handshakeTimeout: 10_000,
        maxPayload: 16 * 1024 * 1024,
      });
      socket.on('error', (error) => reject(unreachable(this.#deps.url, error)));
      socket.on('message', (data) => this.#onFrame(data));
      socket.on('close', (code) => this.#onClose(socket, code));
      socket.on('open', () => {
        this.#socket = socket;
        resolve();
      });
    });
  }

  #onFrame(data: RawData): void {
    this.#answered = true;
    const { ref, error } = JSON.parse(data.toString()) as Answer;
    const step = typeof ref === 'number' ? this.#inFlight.get(ref) : undefined;
    if (step === undefined || typeof ref !== 'number') return;
    this.#inFlight.delete(ref);
    const code = error === undefined ? null : String(error.code);
    if (code !== null && isNotNow(code)) this.#again.push(step);
    else if (code !== null && isHopeless(code)) this.#fail(new GivingUpError(`the server refused the token: ${code}`));
    else this.#settle(step, code);
    if (this.#again.length > 0 && this.#inFlight.size === 0) void this.#recover();
  }

  #settle(step: MessageStep, refusal: string | null): void {
    if (refusal === null) {
      const newest = this.#newestLineByRoom.get(step.roomId) ?? -1;
      if (step.line < newest) this.#misplaced += 1;
      else this.#newestLineByRoom.set(step.roomId, step.line);
    }
    this.#attempts = 0;
    this.#deps.onSettled(step, refusal);
  }

  #onClose(socket: WebSocket, code: number): void {
    if (this.#closed || socket !== this.#socket) return;
    this.#socket = null;
    const known = Object.values(CLOSE_CODES).find((close) => close.code === code);
    if (known !== undefined && !known.reconnect) {
      this.#fail(new GivingUpError(`the server closed the socket with ${code}: ${known.reason}`));
      return;
    }
    this.#again.push(...this.#inFlight.values());
    this.#inFlight.clear();
    void this.#recover();
  }

  /** Comes back with what is to be sent again; never rejects, a failure is told to onFailure. */
  async #recover(): Promise<void> {
    if (this.#recovering) return;
    this.#recovering = true;
    try {
      do {
        this.#attempts += 1;
        if (this.#attempts > MAX_ATTEMPTS) throw new GivingUpError(`no success in ${MAX_ATTEMPTS} attempts in a row`);
        await sleep(backoffMs(this.#attempts));
        if (!this.#closed && this.#socket === null) await this.#connect().catch(ignoreUnreachable);
      } while (!this.#closed && this.#socket === null);
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      return;
    } finally {
      this.#recovering = false;
    }
    const again = this.#again.sort((a, b) => a.line - b.line);
    this.#again = [];
    for (const step of again) this.send(step);
    if (again.length === 0) this.#deps.onReady();
  }

  #breakWhenStuck(): void {
    if (!this.#answered && this.#inFlight.size > 0) this.#socket?.terminate();
    this.#answered = false;
  }

  #fail(error: Error): void {
    if (this.#closed) return;
    this.close();
    this.#deps.onFailure(error);
  }
}

/** A server that is not there yet is what the attempts are for; anything else is a fault. */
function ignoreUnreachable(error: unknown): void {
  if (!(error instanceof UnreachableError)) throw error;
}
