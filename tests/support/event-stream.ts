// A plain HTTP client of a stream of Server-Sent Events that remembers every event and can be asked for the next one of a kind. What
// a client does beyond that, coming back by itself, is tested with a real EventSource.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { assertServerFrame } from './documented-frames.ts';
import { assertDocumented } from './documented-rest.ts';

export type StreamEvent = { event: string; data: Record<string, unknown>; id: string | undefined };

const WAIT_MS = 10_000;

export class EventStream {
  readonly response: IncomingMessage;
  /** All events, in the order in which they came. */
  readonly events: StreamEvent[] = [];
  readonly comments: string[] = [];
  retryMs: number | undefined;
  readonly #onEvent: (event: StreamEvent) => void;
  readonly #seen = new Set<StreamEvent>();
  #changed = Promise.withResolvers<void>();
  #text = '';
  #hasEnded = false;

  constructor(response: IncomingMessage, onEvent: (event: StreamEvent) => void = () => undefined) {
    this.response = response;
    this.#onEvent = onEvent;
    response.setEncoding('utf8');
    response.on('data', (text: string) => this.#feed(text));
    // A cut connection is an error of the response; tests look at the end.
    response.on('error', () => undefined);
    response.on('close', () => {
      this.#hasEnded = true;
      this.#wake();
    });
  }

  /** The first event of this name, and for which the condition holds, that was not returned before. */
  async next(
    name: string,
    isWanted: (data: Record<string, unknown>) => boolean = () => true,
  ): Promise<Record<string, unknown>> {
    const found = await this.#until(
      () => this.events.find((one) => !this.#seen.has(one) && one.event === name && isWanted(one.data)),
      `an event ${name}`,
    );
    this.#seen.add(found);
    return found.data;
  }

  /** Resolves once the stream is over. */
  async ended(): Promise<void> {
    await this.#until(() => this.#hasEnded || undefined, 'the end');
  }

  /** Resolves once that many comments have come. */
  async commented(count: number): Promise<void> {
    await this.#until(() => this.comments.length >= count || undefined, `${count} comments`);
  }

  /** The ids of all events that have one, but for heartbeats: those come when they like and repeat what was there. */
  ids(): number[] {
    const events = this.events.filter(({ event }) => event !== SERVER_FRAMES.heartbeat);
    return events.flatMap(({ id }) => (id === undefined ? [] : [Number(id)]));
  }

  close(): void {
    this.response.destroy();
  }

  #feed(text: string): void {
    const blocks = (this.#text + text).split('\n\n');
    this.#text = blocks.pop() ?? '';
    for (const block of blocks) this.#take(block);
    this.#wake();
  }

  #take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^([a-z]*): (.*)$/s.exec(line) ?? assert.fail(`not a line of events: ${line}`);
      fields.set(name, value);
    }
    const [comment, retry, data] = [fields.get(''), fields.get('retry'), fields.get('data')];
    if (comment !== undefined) this.comments.push(comment);
    if (retry !== undefined) this.retryMs = Number(retry);
    if (data === undefined) return;
    const event = fields.get('event') ?? 'message';
    const parsed = JSON.parse(data) as Record<string, unknown>;
    const one = { event, data: parsed, id: fields.get('id') };
    this.events.push(one);
    this.#onEvent(one);
    // Thrown out of an event handler, it ends the test at once, whatever the test waits for.
    assertServerFrame(event, parsed);
  }

  async #until<Value>(look: () => Value | undefined, what: string): Promise<Value> {
    const late = once(AbortSignal.timeout(WAIT_MS), 'abort').then(() => {
      throw new Error(`${what} did not come; events: ${JSON.stringify(this.events.slice(-20))}`);
    });
    // Nobody waits for it any more once the value is there.
    late.catch(() => undefined);
    for (;;) {
      const value = look();
      if (value !== undefined) return value;
      if (this.#hasEnded) throw new Error(`the stream ended before ${what} came`);
      await Promise.race([this.#changed.promise, late]);
    }
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** The answer to a request for a stream, whatever it is. */
export async function askForEvents(url: string, headers: OutgoingHttpHeaders): Promise<IncomingMessage> {
  const request = get(url, { headers: { accept: 'text/event-stream', ...headers }, agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** What a request for a stream is refused with; fails where it is not. */
export async function refusal(
  url: string,
  headers: OutgoingHttpHeaders,
): Promise<{ status: number; code: string; retryAfter: string | undefined }> {
  const response = await askForEvents(url, headers);
  assert.equal(response.headers['content-type'], 'application/problem+json');
  const text = Buffer.concat(await response.toArray()).toString();
  const { statusCode: status = 0 } = response;
  const answered = new Headers(response.headers as Record<string, string>);
  assertDocumented({ method: 'GET', path: url, status, headers: answered, text });
  const { code } = JSON.parse(text) as { code: string };
  return { status, code, retryAfter: response.headers['retry-after'] };
}
