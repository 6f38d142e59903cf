// A client of the plain WebSocket that remembers every frame and can be asked for the next one of a kind. A frame that is not as
// documented fails the test that runs.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { assertAnswer, assertClientFrame, assertServerFrame } from '../../support/documented-frames.ts';

export type Frame = {
  event?: string;
  data?: unknown;
  ref?: string | number;
  error?: { code: string; message: string };
};

const WAIT_MS = 10_000;

export class ChatSocket {
  readonly socket: WebSocket;
  /** All frames without `ref`, in the order in which they came. */
  readonly frames: Frame[] = [];
  readonly #answers = new Map<string | number, Frame>();
  readonly #askedByRef = new Map<string | number, { event: string; data: unknown }>();
  readonly #seen = new Set<Frame>();
  #changed = Promise.withResolvers<void>();
  #closed: { code: number; reason: string } | undefined;
  #lastRef = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as Frame;
      if (frame.ref === undefined) this.frames.push(frame);
      else this.#answers.set(frame.ref, frame);
      this.#wake();
      // Thrown out of an event handler, it ends the test at once, whatever the test waits for.
      this.#assertDocumented(frame);
    });
    socket.on('close', (code, reason) => {
      this.#closed = { code, reason: String(reason) };
      this.#wake();
    });
    // An error is followed by a close, which is what tests look at.
    socket.on('error', () => undefined);
  }

  /** Sends without asking for an answer. */
  emit(event: string, data: unknown): void {
    this.socket.send(JSON.stringify({ event, data }));
  }

  /** Sends, and resolves with the answer's data; rejects with its code when refused. */
  async ask<Data = Record<string, unknown>>(event: string, data: unknown): Promise<Data> {
    const answer = await this.answer(event, data);
    assert.equal(answer.error, undefined, JSON.stringify(answer));
    return answer.data as Data;
  }

  /** Sends, and resolves with the code of the refusal. */
  async refusal(event: string, data: unknown): Promise<string> {
    const { error } = await this.answer(event, data);
    assert.ok(error, `${event} was not refused`);
    return error.code;
  }

  async answer(event: string, data: unknown): Promise<Frame> {
    this.#lastRef += 1;
    const ref = this.#lastRef;
    this.#askedByRef.set(ref, { event, data });
    this.socket.send(JSON.stringify({ event, data, ref }));
    return this.#until(() => this.#answers.get(ref), `the answer to ${event}`);
  }

  /** The first frame of this name, and for which the condition holds, that was not returned before. */
  async next<Data = Record<string, unknown>>(
    event: string,
    isWanted: (data: Data) => boolean = () => true,
  ): Promise<Data> {
    const frame = await this.#until(
      () => this.frames.find((one) => !this.#seen.has(one) && one.event === event && isWanted(one.data as Data)),
      `a frame ${event}`,
    );
    this.#seen.add(frame);
    return frame.data as Data;
  }

  /** The data of all frames of this name until now. */
  all<Data = Record<string, unknown>>(event: string): Data[] {
    return this.frames.filter((frame) => frame.event === event).map((frame) => frame.data as Data);
  }

  /** Resolves when the server (or the test) has closed the socket. */
  closed(): Promise<{ code: number; reason: string }> {
    return this.#until(() => this.#closed, 'the close', true);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.socket.close();
    await this.closed();
  }

  #assertDocumented({ ref, event, ...rest }: Frame): void {
    if (ref === undefined) {
      assertServerFrame(event, rest.data);
      return;
    }
    // A ref that a test sent by its own way stands for a frame that only the test knows.
    const asked = this.#askedByRef.get(ref);
    if (asked === undefined) return;
    assertAnswer(asked.event, rest);
    if (rest.error === undefined) assertClientFrame(asked.event, asked.data);
  }

  async #until<Value>(look: () => Value | undefined, what: string, alsoClosed = false): Promise<Value> {
    const deadline = AbortSignal.timeout(WAIT_MS);
    const late = once(deadline, 'abort').then(() => {
      throw new Error(`${what} did not come; frames: ${JSON.stringify(this.frames.slice(-20))}`);
    });
    // Nobody waits for it any more once the value is there.
    late.catch(() => undefined);
    for (;;) {
      const value = look();
      if (value !== undefined) return value;
      if (this.#closed && !alsoClosed) {
        throw new Error(`the socket was closed with ${this.#closed.code} before ${what} came`);
      }
      await Promise.race([this.#changed.promise, late]);
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** Connects with the token in the Authorization header (none where it is undefined). */
export async function openSocket(url: string, token?: string): Promise<ChatSocket> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const socket = new WebSocket(url, { headers, perMessageDeflate: false });
  const chat = new ChatSocket(socket);
  await once(socket, 'open');
  return chat;
}
