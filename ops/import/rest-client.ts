// The few REST calls that an import needs, on kept-alive connections. node:http rather than fetch, because an import makes tens of
// thousands of small calls beside the server it feeds, and fetch takes three times the processor time of each.
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MessageView, RoomView } from '../../schemas/wire.ts';
import { backoffMs, GivingUpError, isNotNow, MAX_ATTEMPTS } from './retry.ts';

/** The server's answer: what it did, or the code of why not. */
export type RestAnswer<Body> =
  | { ok: true; body: Body }
  | { ok: false; code: string; detail: string; retryAfterMs: number };

export type RestClient = {
  post<Body>(path: string, body: object): Promise<RestAnswer<Body>>;
  get<Body>(path: string, headers?: Record<string, string>): Promise<RestAnswer<Body>>;
  close(): void;
};

export type CreatedRoom = { chatroom: RoomView; position: string };
export type MessagePage = { messages: MessageView[]; nextCursor?: string };

/** The server cannot be reached, or answers something that is not its API. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  readonly code = 'unreachable';
  readonly retryable = true;
}

/** Answers rejected and refused alike are values; only a server that cannot be talked to rejects, with UnreachableError. */
export function createRestClient(options: {
  url: URL;
  token: string;
  connections: number;
  timeoutMs: number;
}): RestClient {
  const protocol = options.url.protocol === 'https:' ? https : http;
  const agent = new protocol.Agent({ keepAlive: true, maxSockets: options.connections });
  const authorization = `Bearer ${options.token}`;

  function call<Body>(method: string, path: string, headers: object, body?: string): Promise<RestAnswer<Body>> {
    return new Promise((resolve, reject) => {
      const outgoing = protocol.request(
        new URL(path, options.url),
        { method, agent, timeout: options.timeoutMs, headers: { authorization, ...headers } },
        (incoming) => {
          readAnswer<Body>(incoming).then(resolve, (error: unknown) =>
            reject(error instanceof UnreachableError ? error : unreachable(options.url, error)),
          );
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${options.timeoutMs} ms`)));
      outgoing.on('error', (error) => reject(unreachable(options.url, error)));
      outgoing.end(body);
    });
  }

  return {
    post(path, body) {
      const text = JSON.stringify(body);
      return call(
        'POST',
        path,
        { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        text,
      );
    },
    get: (path, headers = {}) => call('GET', path, headers),
    close: () => agent.destroy(),
  };
}

/**
 * The body of the answer, asked for again while the server says "not now" or cannot be reached. Rejects with GivingUpError after
 * a minute of that, and at once with RefusedError on any other refusal.
 */
export async function insist<Body>(what: string, ask: () => Promise<RestAnswer<Body>>): Promise<Body> {
  for (let attempt = 1; ; attempt++) {
    let reason: string;
    let waitMs = backoffMs(attempt);
    try {
      const answer = await ask();
      if (answer.ok) return answer.body;
      if (!isNotNow(answer.code)) throw new RefusedError(what, answer.code, answer.detail);
      reason = answer.code;
      waitMs = Math.max(waitMs, Math.min(answer.retryAfterMs, MAX_RETRY_AFTER_MS));
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      reason = error.message;
    }
    if (attempt >= MAX_ATTEMPTS) throw new GivingUpError(`${what} failed ${attempt} times: ${reason}`);
    await sleep(waitMs);
  }
}

/** A refusal that sending again cannot change. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
  readonly retryable = false;
  readonly code: string;

  constructor(what: string, code: string, detail: string) {
    super(`${what} was refused: ${code}${detail === '' ? '' : ` (${detail})`}`);
    this.code = code;
  }
}

export function unreachable(url: URL, error: unknown): UnreachableError {
  const fault = error as { code?: unknown; message?: unknown };
  const reason = typeof fault.message === 'string' && fault.message !== '' ? fault.message : String(fault.code);
  return new UnreachableError(`${url.origin} cannot be reached: ${reason}`, { cause: error });
}

/** A longer Retry-After is not waited for in one go. */
const MAX_RETRY_AFTER_MS = 5_000;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

async function readAnswer<Body>(incoming: IncomingMessage): Promise<RestAnswer<Body>> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw new UnreachableError('the answer is larger than any answer of Roomlog');
    chunks.push(chunk);
  }
  const status = incoming.statusCode ?? 0;
  let body: unknown;
  try {
    body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new UnreachableError(`what answers there is not Roomlog (HTTP ${status}, not JSON)`, { cause: error });
  }
  if (status >= 200 && status < 300) return { ok: true, body: body as Body };
  const problem = body as { code?: unknown; detail?: unknown; title?: unknown };
  return {
    ok: false,
    code: typeof problem.code === 'string' ? problem.code : `http_${status}`,
    detail: String(problem.detail ?? problem.title ?? ''),
    retryAfterMs: Number(incoming.headers['retry-after'] ?? 0) * 1_000,
  };
}
