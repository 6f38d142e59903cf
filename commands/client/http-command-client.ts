/* Commands from another process, over HTTP.
 *
 * Rooms are spread over LANES lanes (command-lane.ts), as the log spreads them over partitions. A lane has one request under way
 * at a time, so the commands of one room are done in the order in which they were handed in, and a room that is held up holds up
 * its lane alone. A command's time is up after DEADLINE_MS: then it is told log_unavailable.
 */
import assert from 'node:assert/strict';
import { Agent, type IncomingMessage, request } from 'node:http';
import { partitionOf } from '../../event-log/partition-of.ts';
import type { Logger } from '../../platform/logger.ts';
import { serviceToken } from '../../platform/service-token.ts';
import { type Command, streamOfRoom } from '../../schemas/commands.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { reject } from '../../schemas/rejections.ts';
import type { Answer } from '../partition/waiting-list.ts';
import { CommandLane, RefusedRequestError } from './command-lane.ts';
import type { CommandPort } from './command-port.ts';
import { CommandsAnswer, INTERNAL_COMMANDS_PATH, INTERNAL_COMMANDS_PURPOSE } from './command-wire.ts';

export type HttpCommandClientOptions = {
  /** Where the commands role is, as `http://host:port`. */
  url: string;
  /** The secret that both processes have. */
  secret: string;
  logger: Logger;
};

/** Longer than the deciding side waits (LIMITS.commandMs), so that its own answer comes first, and below 2 s. */
const DEADLINE_MS = 1_900;
/** How often it is looked who has waited too long. By the clock: counted ticks come late on a busy machine, and add up. */
const TICK_MS = 50;
/**
 * Requests at a time. As many as the log has partitions, unless set otherwise, so that a lane waits for one partition only. Twice
 * as many made requests smaller and nothing faster.
 */
const LANES = 8;
const ANSWER_BYTES = 4 * 1024 * 1024;

export class HttpCommandClient implements CommandPort {
  readonly #url: URL;
  readonly #headers: Record<string, string>;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: LANES, scheduling: 'lifo' });
  readonly #lanes: readonly CommandLane[];
  #isClosed = false;
  #ticker: NodeJS.Timeout | undefined;

  constructor(options: HttpCommandClientOptions) {
    this.#url = new URL(INTERNAL_COMMANDS_PATH, options.url);
    const token = serviceToken(options.secret, INTERNAL_COMMANDS_PURPOSE);
    this.#headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const logger = options.logger.child({ component: 'command-client' });
    this.#lanes = Array.from(
      { length: LANES },
      () => new CommandLane({ post: (body, count, signal) => this.#post(body, count, signal), logger }),
    );
  }

  execute(command: Command): Promise<Answer> {
    if (this.#isClosed) return Promise.resolve(reject('unavailable'));
    if (this.#untaken() >= LIMITS.commandsPerPartition) return Promise.resolve(reject('busy'));
    const lane = this.#lanes[partitionOf(streamOfRoom(command.body.roomId), LANES)];
    assert(lane);
    this.#startTicker();
    return lane.push(JSON.stringify(command), performance.now());
  }

  /** Rejects when the commands role does not answer; for /ready. */
  async check(): Promise<void> {
    const response = await fetch(new URL('/health', this.#url), { signal: AbortSignal.timeout(1_000) });
    if (!response.ok) throw new Error(`the commands role answered ${response.status}`);
  }

  /** Tells what still waits log_unavailable and closes the connections. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#ticker);
    for (const lane of this.#lanes) lane.answerUntil(Number.POSITIVE_INFINITY, reject('log_unavailable'));
    this.#agent.destroy();
  }

  async #post(body: Buffer, count: number, signal: AbortSignal): Promise<Answer[]> {
    const { status, text } = await this.#exchange(body, signal);
    if (status >= 400 && status < 500) throw new RefusedRequestError(status);
    if (status !== 200) throw new Error(`the commands role answered ${status}`);
    const { answers } = CommandsAnswer.parse(JSON.parse(text));
    if (answers.length !== count) throw new Error(`${count} commands got ${answers.length} answers`);
    return answers;
  }

  #exchange(body: Buffer, signal: AbortSignal): Promise<{ status: number; text: string }> {
    return new Promise((resolve, fail) => {
      const outgoing = request(this.#url, {
        method: 'POST',
        agent: this.#agent,
        headers: { ...this.#headers, 'content-length': String(body.length) },
        signal,
      });
      outgoing.on('error', fail);
      outgoing.on('response', (incoming) => {
        readText(incoming).then((text) => resolve({ status: incoming.statusCode ?? 0, text }), fail);
      });
      outgoing.end(body);
    });
  }

  #untaken(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.untaken, 0);
  }

  #startTicker(): void {
    this.#ticker ??= setInterval(() => {
      const longAgo = performance.now() - DEADLINE_MS;
      for (const lane of this.#lanes) lane.answerUntil(longAgo, reject('log_unavailable'));
      if (!this.#lanes.every((lane) => lane.isEmpty)) return;
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    }, TICK_MS);
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
