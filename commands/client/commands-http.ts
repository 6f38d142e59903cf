// What our processes say to a commands process over HTTP, on kept-alive connections.
import { Agent, type IncomingMessage, request } from 'node:http';
import { serviceToken } from '../../platform/service-token.ts';
import type { Answer } from '../partition/waiting-list.ts';
import { type LaneRequest, NotSentError, RefusedRequestError } from './command-lane.ts';
import {
  CommandsAnswer,
  HOPS_HEADER,
  INTERNAL_COMMANDS_PATH,
  INTERNAL_COMMANDS_PURPOSE,
  INTERNAL_OWNERS_PATH,
  OWNERS_VERSION_HEADER,
  type Owners,
  OwnersAnswer,
} from './command-wire.ts';

const ANSWER_BYTES = 4 * 1024 * 1024;
/** Milliseconds for a question that is not about commands. */
const QUESTION_MS = 1_000;

type Exchange = { status: number; text: string; ownersVersion: string };

export class CommandsHttp {
  readonly #authorization: string;
  readonly #agent: Agent;

  /** `connections` to one process at a time; a request more waits for one. */
  constructor({ secret, connections }: { secret: string; connections: number }) {
    this.#authorization = `Bearer ${serviceToken(secret, INTERNAL_COMMANDS_PURPOSE)}`;
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections, scheduling: 'lifo' });
  }

  /**
   * The answers, and which table of owners the other side goes by. Rejects with NotSentError, RefusedRequestError, or with whatever
   * broke: then nobody knows what was done.
   */
  async post(
    address: string,
    { commands, body }: LaneRequest,
    { hops, signal }: { hops: number; signal: AbortSignal },
  ): Promise<{ answers: Answer[]; ownersVersion: string }> {
    const url = new URL(INTERNAL_COMMANDS_PATH, address);
    const { status, text, ownersVersion } = await this.#exchange(url, { body: body(), hops, signal });
    if (status >= 400 && status < 500) throw new RefusedRequestError(status);
    if (status !== 200) throw new Error(`${address} answered ${status}`);
    const { answers } = CommandsAnswer.parse(JSON.parse(text));
    if (answers.length !== commands.length)
      throw new Error(`${commands.length} commands got ${answers.length} answers`);
    return { answers, ownersVersion };
  }

  /** Who owns which partition, as that process knows it. Rejects where it does not answer. */
  async owners(address: string): Promise<Owners> {
    const url = new URL(INTERNAL_OWNERS_PATH, address);
    const { status, text } = await this.#exchange(url, { hops: 0, signal: AbortSignal.timeout(QUESTION_MS) });
    if (status !== 200) throw new Error(`${address} answered ${status}`);
    return OwnersAnswer.parse(JSON.parse(text));
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(url: URL, ask: { body?: Buffer; hops: number; signal: AbortSignal }): Promise<Exchange> {
    const { body, hops, signal } = ask;
    return new Promise((resolve, fail) => {
      const outgoing = request(url, {
        method: body === undefined ? 'GET' : 'POST',
        agent: this.#agent,
        headers: {
          authorization: this.#authorization,
          [HOPS_HEADER]: String(hops),
          ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': String(body.length) }),
        },
        signal,
      });
      outgoing.on('error', (error) => fail(toNotSent(error)));
      outgoing.on('response', (incoming) => {
        const ownersVersion = String(incoming.headers[OWNERS_VERSION_HEADER] ?? '');
        readText(incoming).then((text) => resolve({ status: incoming.statusCode ?? 0, text, ownersVersion }), fail);
      });
      outgoing.end(body);
    });
  }
}

/** A connection that was refused carried nothing. Every other failure may have come after the last byte. */
function toNotSent(error: Error): Error {
  const isRefused = 'code' in error && (error.code === 'ECONNREFUSED' || error.code === 'ENOTFOUND');
  return isRefused ? new NotSentError(`no connection: ${error.message}`, { cause: error }) : error;
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
