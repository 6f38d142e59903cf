/* Commands from another process, over HTTP.
 *
 * What waits in one turn of the event loop leaves in one request, over connections that are kept. A request that failed on its
 * way is repeated until its commands' time is up: each has its commandId, so at worst the same answer is given twice. Its time
 * is up after DEADLINE_MS: then it is told log_unavailable, because nobody here knows what became of it.
 */
import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../../platform/logger.ts';
import { serviceToken } from '../../platform/service-token.ts';
import type { Command } from '../../schemas/commands.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { reject } from '../../schemas/rejections.ts';
import { type Answer, type Waiting, WaitingList } from '../partition/waiting-list.ts';
import type { CommandPort } from './command-port.ts';
import {
  CommandsAnswer,
  INTERNAL_COMMANDS_PATH,
  INTERNAL_COMMANDS_PURPOSE,
  MAX_COMMANDS_PER_REQUEST,
} from './command-wire.ts';

export type HttpCommandClientOptions = {
  /** Where the commands role is, as `http://host:port`. */
  url: string;
  /** The secret that both processes have. */
  secret: string;
  logger: Logger;
};

/** Longer than the deciding side waits (LIMITS.commandMs), so that its own answer comes first, and below 2 s. */
const DEADLINE_MS = 1_900;
const TICK_MS = 50;
/** Requests at a time; more commands wait. A request is given up after this long, which frees its place. */
const REQUESTS_IN_FLIGHT = 16;
const REQUEST_TIMEOUT_MS = 2_500;
const FIRST_PAUSE_MS = 25;
/** Bytes of one request's commands: what the receiver takes, less what surrounds them. */
const REQUEST_BYTES = LIMITS.httpBodyBytes - 1_024;
const ANSWER_BYTES = 4 * 1024 * 1024;

type WaitingRequest = Waiting & { readonly json: string; readonly bytes: number };

export class HttpCommandClient implements CommandPort {
  readonly #url: URL;
  readonly #headers: Record<string, string>;
  readonly #logger: Logger;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: REQUESTS_IN_FLIGHT, scheduling: 'lifo' });
  readonly #waiting = new WaitingList<WaitingRequest>(() => undefined);
  readonly #closing = new AbortController();
  /** Taken, and did not fit into the last request any more. */
  #next: WaitingRequest | undefined;
  #isScheduled = false;
  #inFlight = 0;
  #tick = 0;
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: HttpCommandClientOptions) {
    this.#url = new URL(INTERNAL_COMMANDS_PATH, options.url);
    const token = serviceToken(options.secret, INTERNAL_COMMANDS_PURPOSE);
    this.#headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    this.#logger = options.logger.child({ component: 'command-client' });
  }

  execute(command: Command): Promise<Answer> {
    if (this.#closing.signal.aborted) return Promise.resolve(reject('unavailable'));
    if (this.#waiting.untaken >= LIMITS.commandsPerPartition) return Promise.resolve(reject('busy'));
    const json = JSON.stringify(command);
    return new Promise((resolve) => {
      this.#waiting.push({ json, bytes: Buffer.byteLength(json) + 1, cameAt: this.#tick, resolve, isAnswered: false });
      this.#startTicker();
      this.#schedule();
    });
  }

  /** Rejects when the commands role does not answer; for /ready. */
  async check(): Promise<void> {
    const response = await fetch(new URL('/health', this.#url), { signal: AbortSignal.timeout(1_000) });
    if (!response.ok) throw new Error(`the commands role answered ${response.status}`);
  }

  /** Tells what still waits log_unavailable and closes the connections. */
  close(): void {
    this.#closing.abort();
    clearInterval(this.#ticker);
    this.#waiting.answerUntil(Number.POSITIVE_INFINITY, reject('log_unavailable'));
    this.#agent.destroy();
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#inFlight < REQUESTS_IN_FLIGHT) {
        const batch = this.#takeBatch();
        if (batch.length === 0) break;
        this.#inFlight++;
        void this.#deliver(batch).finally(() => {
          this.#inFlight--;
          this.#schedule();
        });
      }
    });
  }

  #takeBatch(): WaitingRequest[] {
    const batch: WaitingRequest[] = [];
    let bytes = 0;
    while (batch.length < MAX_COMMANDS_PER_REQUEST) {
      this.#next ??= this.#waiting.take();
      if (!this.#next) break;
      bytes += this.#next.bytes;
      if (bytes > REQUEST_BYTES && batch.length > 0) break;
      batch.push(this.#next);
      this.#next = undefined;
    }
    return batch;
  }

  /** Never rejects: every command of the batch is answered here or by the ticker. */
  async #deliver(batch: readonly WaitingRequest[]): Promise<void> {
    const body = Buffer.from(`{"commands":[${batch.map(({ json }) => json).join(',')}]}`);
    for (let pauseMs = FIRST_PAUSE_MS; !batch.every(({ isAnswered }) => isAnswered); pauseMs *= 2) {
      try {
        const answers = await this.#post(body, batch.length);
        for (const [index, waiting] of batch.entries())
          this.#waiting.answer(waiting, answers[index] ?? reject('internal'));
      } catch (error) {
        if (this.#closing.signal.aborted) return;
        if (error instanceof RefusedRequestError) {
          this.#logger.error({ err: error }, 'the commands role refuses our requests');
          for (const waiting of batch) this.#waiting.answer(waiting, reject('unavailable'));
        } else {
          this.#logger.warn({ err: error }, 'a request to the commands role failed: trying again');
          await delay(pauseMs);
        }
      }
    }
    this.#waiting.dropAnswered();
  }

  async #post(body: Buffer, count: number): Promise<Answer[]> {
    const { status, text } = await this.#exchange(body);
    if (status >= 400 && status < 500) throw new RefusedRequestError(status);
    if (status !== 200) throw new Error(`the commands role answered ${status}`);
    const { answers } = CommandsAnswer.parse(JSON.parse(text));
    if (answers.length !== count) throw new Error(`${count} commands got ${answers.length} answers`);
    return answers;
  }

  #exchange(body: Buffer): Promise<{ status: number; text: string }> {
    return new Promise((resolve, fail) => {
      const outgoing = request(this.#url, {
        method: 'POST',
        agent: this.#agent,
        headers: { ...this.#headers, 'content-length': String(body.length) },
        signal: AbortSignal.any([this.#closing.signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
      });
      outgoing.on('error', fail);
      outgoing.on('response', (incoming) => {
        readText(incoming).then((text) => resolve({ status: incoming.statusCode ?? 0, text }), fail);
      });
      outgoing.end(body);
    });
  }

  #startTicker(): void {
    this.#ticker ??= setInterval(() => {
      this.#tick++;
      this.#waiting.answerUntil(this.#tick - Math.floor(DEADLINE_MS / TICK_MS), reject('log_unavailable'));
      if (!this.#waiting.isEmpty) return;
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    }, TICK_MS);
  }
}

/** The other side understood us and will not do it: another secret, or another version. Repeating does not help. */
class RefusedRequestError extends Error {
  override readonly name = 'RefusedRequestError';
  readonly code = 'refused_request';
  readonly retryable = false;

  constructor(status: number) {
    super(`the commands role answered ${status}`);
  }
}

async function readText(incoming: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES) throw new Error(`the answer is longer than ${ANSWER_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
