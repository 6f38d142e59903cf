// Clients of every transport that do what docs/websocket.md and docs/sse.md ask of a client, and nothing more: remember the newest
// version of the room, come back after every break with it, and repeat a message under its commandId until it is acknowledged.
// Everything that they hear is kept in the order in which it came, over all their connections.
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../../schemas/wire.ts';
import type { Frame } from '../e2e/support/chat-socket.ts';
import { assertServerFrame } from './documented-frames.ts';
import { EventStream } from './event-stream.ts';

/** Where a client connects, as whom, and what it has of the room. */
export type ClientTarget = { host: string; port: number; token: () => string; roomId: string; after: number };

type Answer = { data?: Record<string, unknown>; error?: { code: string } };
/** `ask` resolves with null where the connection broke before the answer came. A stream cannot ask. */
type Link = { ask?(event: string, data: object): Promise<Answer | null>; close(): void };
type Connect = (client: ResumingClient) => Link;

const COME_BACK_MS = 10;
const ANSWER_MS = 2_000;

export class ResumingClient {
  readonly target: ClientTarget;
  readonly heard: { event: string; data: Record<string, unknown> }[] = [];
  /** How often the room was joined. */
  joins = 0;
  /** The code with which it was refused for good. */
  refused: string | null = null;
  /** The newest version that it has. */
  after: number;
  readonly #link: Link;
  #isClosed = false;
  #changed = Promise.withResolvers<void>();

  constructor(target: ClientTarget, connect: Connect) {
    this.target = target;
    this.after = target.after;
    this.#link = connect(this);
  }

  get canSpeak(): boolean {
    return this.#link.ask !== undefined;
  }

  /** Of all events of the room's history; a heartbeat is none. */
  versions(): number[] {
    const events = this.heard.filter(({ event }) => event !== SERVER_FRAMES.heartbeat);
    return events.flatMap(({ data }) => (typeof data.version === 'number' ? [data.version] : []));
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#changed.promise;
  }

  /** Sends until it is acknowledged, and resolves with the version that the message has. */
  async say(message: string, commandId: string): Promise<number> {
    for (;;) {
      const answer = await this.ask(CLIENT_FRAMES.sendMessage, { roomId: this.target.roomId, message, commandId });
      if (answer?.data) return (answer.data.message as { version: number }).version;
      assert.equal(answer?.error, undefined);
      await new Promise((resolve) => setTimeout(resolve, COME_BACK_MS));
    }
  }

  ask(event: string, data: object): Promise<Answer | null> {
    assert.ok(this.#link.ask, 'a stream says nothing');
    return this.#link.ask(event, data);
  }

  close(): void {
    this.#isClosed = true;
    this.#link.close();
  }

  // What follows is for its connections.

  get comesBack(): boolean {
    return !this.#isClosed && this.refused === null;
  }

  hear(event: string, data: Record<string, unknown>): void {
    assertServerFrame(event, data);
    this.heard.push({ event, data });
    if (typeof data.version === 'number') this.after = data.version;
    this.#wake();
  }

  async join(): Promise<void> {
    const answer = await this.ask(CLIENT_FRAMES.joinRoom, { roomId: this.target.roomId, after: this.after });
    if (answer === null) return;
    this.joined(answer.error?.code);
    if (answer.error && this.comesBack) setTimeout(() => void this.join(), COME_BACK_MS);
  }

  /** It has been let in, or was refused with that code. */
  joined(code: string | undefined): void {
    if (code === undefined) this.joins += 1;
    else if (code === 'not_a_member') this.refused = code;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** Over each transport. */
export const CONNECTS: Readonly<Record<string, Connect>> = {
  'a bare WebSocket': connectWs,
  'socket.io over WebSocket': (client) => connectSocketIo(client, 'websocket'),
  'socket.io over polling': (client) => connectSocketIo(client, 'polling'),
  'Server-Sent Events': connectSse,
};

function connectWs(client: ResumingClient): Link {
  const { host, port, token } = client.target;
  const waiting = new Map<number, (answer: Answer | null) => void>();
  let lastRef = 0;
  let socket = connect();

  function connect(): WebSocket {
    const headers = { authorization: `Bearer ${token()}` };
    const one = new WebSocket(`ws://${host}:${port}`, { headers, perMessageDeflate: false });
    one.on('open', () => void client.join());
    one.on('message', (bytes: Buffer) => take(JSON.parse(bytes.toString('utf8')) as Frame));
    // A close follows.
    one.on('error', () => undefined);
    one.on('close', () => {
      for (const answer of waiting.values()) answer(null);
      waiting.clear();
      if (client.comesBack) setTimeout(comeBack, COME_BACK_MS);
    });
    return one;
  }

  function comeBack(): void {
    socket = connect();
  }

  function take({ event = '', ref, ...frame }: Frame): void {
    if (ref === undefined) {
      client.hear(event, frame.data as Record<string, unknown>);
      return;
    }
    waiting.get(Number(ref))?.(frame as Answer);
    waiting.delete(Number(ref));
  }

  return {
    ask(event, data) {
      if (socket.readyState !== WebSocket.OPEN) return Promise.resolve(null);
      lastRef += 1;
      const ref = lastRef;
      socket.send(JSON.stringify({ event, data, ref }));
      return new Promise((resolve) => waiting.set(ref, resolve));
    },
    close: () => socket.terminate(),
  };
}

function connectSocketIo(client: ResumingClient, transport: 'websocket' | 'polling'): Link {
  const { host, port, token } = client.target;
  const socket = io(`http://${host}:${port}`, {
    transports: [transport],
    forceNew: true,
    reconnectionDelay: COME_BACK_MS,
    reconnectionDelayMax: COME_BACK_MS,
    auth: (use) => use({ token: token() }),
  });
  socket.on('connect', () => void client.join());
  socket.onAny((event: string, data: Record<string, unknown>) => client.hear(event, data));
  // The client does not come back by itself after the server has disconnected it.
  socket.on('disconnect', (reason) => {
    if (reason === 'io server disconnect' && client.comesBack) socket.connect();
  });
  return {
    async ask(event, data) {
      if (!socket.connected) return null;
      try {
        return (await socket.timeout(ANSWER_MS).emitWithAck(event, data)) as Answer;
      } catch {
        // No answer came: the connection broke, or will be found broken.
        return null;
      }
    },
    close: () => void socket.disconnect(),
  };
}

function connectSse(client: ResumingClient): Link {
  const { host, port, token, roomId } = client.target;
  const path = `/api/v1/chatroom/${roomId}/events`;
  let request = connect();

  function connect() {
    const headers = { authorization: `Bearer ${token()}`, 'last-event-id': String(client.after) };
    const one = get({ host, port, path, headers, agent: false }, (response) => {
      const isStream = response.statusCode === 200;
      client.joined(isStream ? undefined : response.statusCode === 403 ? 'not_a_member' : 'unavailable');
      if (isStream) new EventStream(response, ({ event, data }) => client.hear(event, data));
      else response.resume();
    });
    // A close follows.
    one.on('error', () => undefined);
    one.on('close', () => client.comesBack && setTimeout(comeBack, COME_BACK_MS));
    return one;
  }

  function comeBack(): void {
    request = connect();
  }

  return { close: () => void request.destroy() };
}
