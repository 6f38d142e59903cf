// One connection to a realtime node, over a bare WebSocket or by socket.io-client. Everything is told by callbacks, at once and in the
// order in which it came: a promise would let later frames overtake an answer.
import { io, type Socket } from 'socket.io-client';
import { WebSocket } from 'ws';

export type SocketAnswer =
  | { kind: 'data'; data: Record<string, unknown> }
  | { kind: 'error'; code: string; retryAfterMs: number | null }
  | { kind: 'none'; reason: string };

export type ConnectionEvents = {
  onOpen: () => void;
  onFrame: (event: string, data: unknown) => void;
  /** Once, and nothing after it; also where it never opened. */
  onClose: (reason: string) => void;
};

export type ChatConnection = {
  /** `onAnswer` is called exactly once. */
  ask(event: string, data: object, onAnswer: (answer: SocketAnswer) => void): void;
  /** Ends it at once, without a word to the other side. */
  drop(reason: string): void;
};

export type SocketVia = 'ws' | 'socket-io';

const OPEN_TIMEOUT_MS = 5_000;
const ANSWER_TIMEOUT_MS = 6_000;

type Pending = { onAnswer: (answer: SocketAnswer) => void; timer: NodeJS.Timeout };
type Wire = { send: (event: string, data: object, ref: number) => void; drop: () => void };

/** Begins to connect; the events tell how it goes. */
export function openConnection(via: SocketVia, url: string, token: string, events: ConnectionEvents): ChatConnection {
  const pending = new Map<number, Pending>();
  let lastRef = 0;
  let isClosed = false;

  const answer = (ref: number, value: SocketAnswer): void => {
    const waiting = pending.get(ref);
    if (!waiting) return;
    pending.delete(ref);
    clearTimeout(waiting.timer);
    waiting.onAnswer(value);
  };
  const close = (reason: string): void => {
    if (isClosed) return;
    isClosed = true;
    clearTimeout(opening);
    wire.drop();
    for (const ref of [...pending.keys()]) answer(ref, { kind: 'none', reason });
    events.onClose(reason);
  };
  const opening = setTimeout(() => close('not open in time'), OPEN_TIMEOUT_MS);
  const heard = {
    open: () => {
      clearTimeout(opening);
      if (!isClosed) events.onOpen();
    },
    frame: (event: string, data: unknown) => {
      if (!isClosed) events.onFrame(event, data);
    },
    answer: (ref: number, value: SocketAnswer) => {
      if (!isClosed) answer(ref, value);
    },
    close,
  };
  const wire = via === 'ws' ? overWebSocket(url, token, heard) : overSocketIo(url, token, heard);
  return {
    ask: (event, data, onAnswer) => {
      if (isClosed) return onAnswer({ kind: 'none', reason: 'closed' });
      lastRef += 1;
      const ref = lastRef;
      // A connection on which an answer is overdue is not trusted any more: the other side may be frozen, or gone without a word.
      const timer = setTimeout(() => close('no answer in time'), ANSWER_TIMEOUT_MS);
      pending.set(ref, { onAnswer, timer });
      wire.send(event, data, ref);
    },
    drop: close,
  };
}

type Heard = {
  open: () => void;
  frame: (event: string, data: unknown) => void;
  answer: (ref: number, value: SocketAnswer) => void;
  close: (reason: string) => void;
};

function overWebSocket(url: string, token: string, heard: Heard): Wire {
  const headers = { authorization: `Bearer ${token}` };
  const socket = new WebSocket(url.replace(/^http/, 'ws'), { headers, perMessageDeflate: false });
  socket.on('open', heard.open);
  socket.on('message', (bytes: Buffer) => {
    const frame = JSON.parse(bytes.toString('utf8')) as {
      event?: string;
      data?: unknown;
      ref?: number;
      error?: unknown;
    };
    if (frame.ref === undefined) heard.frame(String(frame.event), frame.data);
    else heard.answer(frame.ref, toAnswer(frame));
  });
  socket.on('close', (code) => heard.close(`closed with ${code}`));
  socket.on('error', (error) => heard.close(error.message));
  return {
    send: (event, data, ref) => socket.send(JSON.stringify({ event, data, ref })),
    drop: () => socket.terminate(),
  };
}

function overSocketIo(url: string, token: string, heard: Heard): Wire {
  const socket: Socket = io(url, { transports: ['websocket'], auth: { token }, reconnection: false, forceNew: true });
  socket.on('connect', heard.open);
  socket.onAny((event: string, data: unknown) => heard.frame(event, data));
  socket.on('connect_error', (error) => heard.close(error.message));
  socket.on('disconnect', (reason) => heard.close(reason));
  return {
    send: (event, data, ref) => {
      socket.emit(event, data, (value: { data?: unknown; error?: unknown }) => heard.answer(ref, toAnswer(value)));
    },
    drop: () => socket.disconnect(),
  };
}

function toAnswer({ data, error }: { data?: unknown; error?: unknown }): SocketAnswer {
  if (error === undefined) return { kind: 'data', data: (data ?? {}) as Record<string, unknown> };
  const { code, retryAfterMs } = error as { code?: unknown; retryAfterMs?: unknown };
  return { kind: 'error', code: String(code), retryAfterMs: typeof retryAfterMs === 'number' ? retryAfterMs : null };
}
