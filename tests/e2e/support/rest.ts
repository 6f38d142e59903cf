// The REST API as a user's program calls it. An answer that is not as documented fails the test.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { MessageView, RoomView } from '../../../schemas/wire.ts';
import { assertDocumented } from '../../support/documented-rest.ts';

export type Answer<Body = Record<string, unknown>> = { status: number; body: Body; headers: Headers; text: string };
export type Page = { messages: MessageView[]; nextCursor?: string };
export type Rooms = { chatrooms: RoomView[]; nextCursor?: string };

type Call = { token?: string | undefined; body?: unknown; headers?: Record<string, string>; rawBody?: string | Buffer };

export class Rest {
  readonly #originOf: (method: string, path: string) => string;

  /** In a cluster without its gateway the roles have addresses of their own. */
  constructor(originOf: (method: string, path: string) => string) {
    this.#originOf = originOf;
  }

  async call<Body = Record<string, unknown>>(method: string, path: string, call: Call = {}): Promise<Answer<Body>> {
    const rawBody = call.rawBody ?? (call.body === undefined ? undefined : JSON.stringify(call.body));
    const response = await fetch(`${this.#originOf(method, path)}${path}`, {
      method,
      headers: {
        ...(call.token === undefined ? {} : { authorization: `Bearer ${call.token}` }),
        ...(rawBody === undefined ? {} : { 'content-type': 'application/json' }),
        ...call.headers,
      },
      ...(rawBody === undefined ? {} : { body: rawBody }),
      signal: AbortSignal.timeout(10_000),
    });
    const { status, headers } = response;
    const text = await response.text();
    assertDocumented({ method, path, sent: call.body, status, headers, text });
    const isJson = headers.get('content-type')?.includes('json') === true;
    return { status, headers, text, body: (isJson ? JSON.parse(text) : {}) as Body };
  }

  async createRoom(token: string, body: Record<string, unknown> = {}): Promise<RoomView & { position: string }> {
    const wished = { roomid: 'plaza', name: `Room ${randomUUID().slice(0, 8)}`, ...body };
    const path = '/api/v1/chatroom/create';
    const answer = await this.call<{ chatroom: RoomView; position: string }>('POST', path, { token, body: wished });
    assert.equal(answer.status, 201, answer.text);
    return { ...answer.body.chatroom, position: answer.body.position };
  }

  /** Joins, and resolves with the position of it. */
  async join(token: string, chatroomId: string): Promise<string> {
    const answer = await this.call('POST', '/api/v1/chatroom/join', { token, body: { chatroomId } });
    assert.equal(answer.status, 200, answer.text);
    return String(answer.body.position);
  }

  async send(
    token: string,
    chatroomId: string,
    message: string,
    more: object = {},
  ): Promise<MessageView & { position: string }> {
    const body = { chatroomId, message, ...more };
    const answer = await this.call<{ message: MessageView; position: string }>('POST', '/api/v1/messages', {
      token,
      body,
    });
    assert.equal(answer.status, 201, answer.text);
    return { ...answer.body.message, position: answer.body.position };
  }

  /** A page of history that has everything up to the position. */
  async history(
    token: string,
    chatroomId: string,
    query: Record<string, string> = {},
    position?: string,
  ): Promise<Page> {
    const search = new URLSearchParams({ chatroomId, ...query });
    const headers = position === undefined ? {} : { 'x-min-position': position };
    const answer = await this.call<Page>('GET', `/api/v1/messages?${search}`, { token, headers });
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  }

  async rooms(token: string, spaceId: string, position?: string): Promise<RoomView[]> {
    const headers = position === undefined ? {} : { 'x-min-position': position };
    const path = `/api/v1/chatroom/rooms?spaceId=${encodeURIComponent(spaceId)}`;
    const answer = await this.call<Rooms>('GET', path, { token, headers });
    assert.equal(answer.status, 200, answer.text);
    return answer.body.chatrooms;
  }
}

/** The answer is problem+json of that code, and shows nothing of the inside. */
export function assertProblem(answer: Answer<{ code?: unknown }>, status: number, code: string): void {
  assert.deepEqual({ status: answer.status, code: answer.body.code }, { status, code }, answer.text);
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
  assertNoInternals(answer.text);
}

/** No stack, no path of the machine, no words of a library or of the database. */
export function assertNoInternals(text: string): void {
  assert.doesNotMatch(
    text,
    /\bat .+:\d+:\d+|node_modules|node:internal|\.ts\b|\bstack\b|select |insert |knex|kafkajs|ECONN/i,
  );
}
