// The REST API as a good client uses it: every request has a deadline, goes to another node than the one before, and an answer that
// does not come is no answer.
import type { Door } from '../cluster/cluster.ts';
import { lost, type Outcome, refusalToOutcome } from './outcome.ts';
import { type Wish, wishToRequest } from './wish.ts';

export type RestAnswer = { status: number; body: Record<string, unknown>; retryAfterMs: number | null };

const TIMEOUT_MS = 6_000;

export class RestWay {
  readonly #commands: readonly Door[];
  readonly #readers: readonly Door[];
  #turn = 0;

  constructor(doors: { commands: readonly Door[]; readApi: readonly Door[] }) {
    this.#commands = doors.commands;
    this.#readers = doors.readApi;
  }

  /** Never rejects. */
  async send(wish: Wish, commandId: string, token: string): Promise<Outcome> {
    const { path, body } = wishToRequest(wish, commandId);
    try {
      return toOutcome(wish, await this.#ask('POST', this.#commands, path, token, body));
    } catch (error) {
      return lost(reasonOf(error));
    }
  }

  /** Rejects where no answer comes. */
  read(path: string, token: string, minPosition?: string): Promise<RestAnswer> {
    const headers = minPosition === undefined ? {} : { 'x-min-position': minPosition };
    return this.#ask('GET', this.#readers, path, token, undefined, headers);
  }

  async #ask(
    method: string,
    doors: readonly Door[],
    path: string,
    token: string,
    body?: object,
    headers: Record<string, string> = {},
  ): Promise<RestAnswer> {
    this.#turn += 1;
    const door = doors[this.#turn % doors.length];
    const response = await fetch(`${door?.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const parsed: unknown = await response.json();
    const retryAfter = response.headers.get('retry-after');
    const retryAfterMs = retryAfter === null ? null : Number(retryAfter) * 1_000;
    return { status: response.status, body: asObject(parsed), retryAfterMs };
  }
}

function toOutcome(wish: Wish, { status, body, retryAfterMs }: RestAnswer): Outcome {
  if (status >= 400) return refusalToOutcome(String(body.code), retryAfterMs);
  const position = String(body.position);
  if (wish.type === 'SendMessage') {
    const { id, version } = asObject(body.message);
    return { kind: 'accepted', roomId: wish.roomId, id: String(id), version: Number(version), position, changed: true };
  }
  if (wish.type === 'CreateRoom') {
    const { id, version } = asObject(body.chatroom);
    return { kind: 'accepted', roomId: String(id), id: String(id), version: Number(version), position, changed: true };
  }
  const { roomId } = wish;
  const changed = body.changed === true;
  return { kind: 'accepted', roomId, id: roomId, version: Number(body.version), position, changed };
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error && 'code' in error.cause ? ` ${String(error.cause.code)}` : '';
  return `${error.name}${cause}`;
}
