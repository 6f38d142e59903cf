// A TCP proxy that does to connections what networks do: breaks them, loses what one side says, holds it back, refuses new
// ones, delivers it twice. Most faults act on the connections there are at that moment; later connections are whole again, because
// a client that recovers opens a new one. Those of `impair` hold for later connections too, until `heal`, as a broken network does.
import { once } from 'node:events';
import { createServer, type Server, Socket } from 'node:net';
import { type Direction, ProxyPipe } from './proxy-pipe.ts';

export type TcpProxy = {
  readonly host: string;
  readonly port: number;
  /** Breaks every connection, both sides at once. */
  cut(): void;
  /** Breaks every connection in the middle of what comes next in this direction: half of it arrives, then the end. */
  cutMidStream(direction: Direction): void;
  /** From now on the server hears these clients, and they do not hear the server. */
  swallowAnswers(): void;
  /** From now on the server does not hear these clients. */
  swallowRequests(): void;
  /**
   * From now on what the server says to clients, later ones too, is not taken from it: it fills the kernel, then waits in the
   * server. Until `cut`.
   */
  stopReading(): void;
  /** How many bytes of clients were swallowed until now. */
  swallowedBytes(): number;
  /** Keeps what these clients say from now on, also after they have gone. */
  holdRequests(): void;
  /** Delivers what was held, ends these connections, and resolves when the server has worked off all of it. */
  releaseRequests(): Promise<void>;
  /** Every byte arrives this many milliseconds late, on all connections, order kept; in both directions unless one is named. 0 is as usual. */
  delay(ms: number, direction?: Direction): void;
  /**
   * All connections, also later ones, are accepted and say nothing more in these directions. `swallow` loses what is said: half-open
   * connections, which `heal` breaks. `hold` keeps it: a network that is parted for a while, and `heal` delivers all of it, late.
   */
  impair(how: 'swallow' | 'hold', directions: readonly Direction[]): void;
  /** Ends what `impair` and `delay` did. */
  heal(): void;
  /** Breaks every connection and takes no new ones (ECONNREFUSED). */
  refuse(): Promise<void>;
  /** Takes connections again, on the same port. */
  accept(): Promise<void>;
  /**
   * Says to the server once more, on new connections, all that clients have said from the beginning of each connection, and
   * resolves when the server has worked it off: to the count of bytes it answered. Needs a protocol without handshake secrets.
   */
  replay(): Promise<number>;
  /** What clients have said, by connection from its beginning, for protocols whose handshake cannot be replayed. */
  recordings(): Buffer[];
  /** How many connections there are now. */
  connections(): number;
  close(): Promise<void>;
};

export type TcpProxyOptions = {
  /** Whether what clients say is kept for `replay` and `recordings`; true unless said otherwise. */
  isRecording?: boolean;
};

type Link = { client: Socket; upstream: Socket; pipes: Readonly<Record<Direction, ProxyPipe>> };

/** Bytes that are kept of one connection for replay; a longer connection is not replayed at all, because half of it is noise. */
const MAX_RECORDED_BYTES = 64 * 1024 * 1024;
const DIRECTIONS: readonly Direction[] = ['requests', 'answers'];

export async function openTcpProxy(
  target: { host: string; port: number },
  { isRecording = true }: TcpProxyOptions = {},
): Promise<TcpProxy> {
  const links = new Set<Link>();
  const recordings: { chunks: Buffer[]; bytes: number }[] = [];
  const delayMs: Record<Direction, number> = { requests: 0, answers: 0 };
  const impaired = new Map<Direction, 'swallow' | 'hold'>();
  let swallowedBytes = 0;
  let isReading = true;

  function connect(client: Socket): void {
    const upstream = new Socket();
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    const pipeTo = (to: Socket, direction: Direction) =>
      new ProxyPipe({ to, delayMs: () => delayMs[direction], mode: impaired.get(direction) ?? 'pass', cut: destroy });
    const [requests, answers] = [pipeTo(upstream, 'requests'), pipeTo(client, 'answers')];
    const link: Link = { client, upstream, pipes: { requests, answers } };
    links.add(link);
    upstream.connect(target.port, target.host);
    const record = isRecording ? recorder() : () => undefined;
    client.on('data', (chunk) => {
      record(chunk);
      if (requests.mode === 'swallow') swallowedBytes += chunk.length;
      requests.write(chunk);
    });
    upstream.on('data', (chunk) => answers.write(chunk));
    if (!isReading) upstream.pause();
    // A broken connection is the proxy's daily business; each side learns of it by its own socket's end.
    client.on('error', () => client.destroy());
    upstream.on('error', () => upstream.destroy());
    client.on('close', () => {
      if (requests.mode === 'hold' || impaired.has('requests')) return;
      requests.end();
      links.delete(link);
    });
    upstream.on('close', () => {
      if (impaired.has('answers')) return;
      answers.end();
      links.delete(link);
    });
    function destroy(): void {
      links.delete(link);
      client.destroySoon();
      upstream.destroySoon();
    }
  }

  function recorder(): (chunk: Buffer) => void {
    const recording = { chunks: [] as Buffer[], bytes: 0 };
    recordings.push(recording);
    return (chunk) => {
      recording.bytes += chunk.length;
      if (recording.bytes <= MAX_RECORDED_BYTES) recording.chunks.push(chunk);
    };
  }

  function wholeRecordings(): Buffer[] {
    const whole = recordings.filter(({ bytes }) => bytes > 0 && bytes <= MAX_RECORDED_BYTES);
    return whole.map(({ chunks }) => Buffer.concat(chunks));
  }

  function cutLink(link: Link): void {
    link.pipes.requests.mode = 'pass';
    link.client.destroy();
    link.upstream.destroy();
    links.delete(link);
  }

  function setMode(direction: Direction, mode: ProxyPipe['mode']): void {
    for (const link of links) link.pipes[direction].mode = mode;
  }

  /** Where something was lost, going on would be noise; where it was held, all of it follows in order. */
  function heal(): void {
    impaired.clear();
    for (const direction of DIRECTIONS) delayMs[direction] = 0;
    for (const link of links) {
      if (DIRECTIONS.some((direction) => link.pipes[direction].hasLost)) cutLink(link);
      else for (const direction of DIRECTIONS) link.pipes[direction].flow();
      if (link.client.destroyed) link.pipes.requests.end();
      if (link.upstream.destroyed) link.pipes.answers.end();
      if (link.client.destroyed || link.upstream.destroyed) links.delete(link);
    }
  }

  function cut(): void {
    isReading = true;
    links.forEach(cutLink);
  }

  let server = await listen(0, connect);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy listens on no TCP port');
  const { port } = address;

  return {
    host: '127.0.0.1',
    port,
    cut,
    cutMidStream: (direction) => setMode(direction, 'cut'),
    swallowAnswers: () => setMode('answers', 'swallow'),
    swallowRequests: () => setMode('requests', 'swallow'),
    stopReading: () => {
      isReading = false;
      for (const { upstream } of links) upstream.pause();
    },
    swallowedBytes: () => swallowedBytes,
    holdRequests: () => setMode('requests', 'hold'),
    releaseRequests: async () => {
      const holding = [...links].filter((link) => link.pipes.requests.mode === 'hold');
      await Promise.all(
        holding.map(async (link) => {
          links.delete(link);
          await release(link);
        }),
      );
    },
    delay: (ms, direction) => {
      for (const each of direction === undefined ? DIRECTIONS : [direction]) delayMs[each] = ms;
    },
    impair: (how, directions) => {
      for (const direction of directions) {
        impaired.set(direction, how);
        setMode(direction, how);
      }
    },
    heal,
    refuse: async () => {
      cut();
      await closeServer(server);
    },
    accept: async () => {
      server = await listen(port, connect);
    },
    replay: async () => {
      const answered = await Promise.all(wholeRecordings().map((bytes) => sayAgain(target, bytes)));
      return answered.reduce((sum, bytes) => sum + bytes, 0);
    },
    recordings: wholeRecordings,
    connections: () => links.size,
    close: async () => {
      cut();
      await closeServer(server);
    },
  };
}

/** Ending the sending side lets the server read everything and only then see the end; its close tells that it is through. */
async function release(link: Link): Promise<void> {
  link.pipes.answers.mode = 'swallow';
  link.client.destroy();
  if (link.upstream.destroyed) return;
  const closed = once(link.upstream, 'close');
  link.upstream.end(link.pipes.requests.takeHeld());
  await closed;
}

async function sayAgain(target: { host: string; port: number }, bytes: Buffer): Promise<number> {
  const socket = new Socket();
  let answered = 0;
  socket.on('data', (chunk) => {
    answered += chunk.length;
  });
  // A server may end a replayed connection rudely; what it answered until then is the result.
  socket.on('error', () => socket.destroy());
  const closed = once(socket, 'close');
  socket.connect(target.port, target.host, () => socket.end(bytes));
  await closed;
  return answered;
}

async function listen(port: number, connect: (client: Socket) => void): Promise<Server> {
  const server = createServer(connect);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

async function closeServer(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  await closed;
}
