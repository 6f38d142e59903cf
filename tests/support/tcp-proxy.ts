// A TCP proxy that does to connections what networks do: breaks them, loses what one side says, holds it back, refuses new
// ones, delivers it twice. Faults act on the connections there are at that moment; later connections are whole again, because a
// client that recovers opens a new one.
import { once } from 'node:events';
import { createServer, type Server, Socket } from 'node:net';

export type TcpProxy = {
  readonly host: string;
  readonly port: number;
  /** Breaks every connection, both sides at once. */
  cut(): void;
  /** From now on the server hears these clients, and they do not hear the server. */
  swallowAnswers(): void;
  /** From now on the server does not hear these clients. */
  swallowRequests(): void;
  /** How many bytes of clients were swallowed until now. */
  swallowedBytes(): number;
  /** Keeps what these clients say from now on, also after they have gone. */
  holdRequests(): void;
  /** Delivers what was held, ends these connections, and resolves when the server has worked off all of it. */
  releaseRequests(): Promise<void>;
  /** Every byte arrives this many milliseconds late, on all connections, order kept. 0 is as usual. */
  delay(ms: number): void;
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

type Link = {
  client: Socket;
  upstream: Socket;
  requests: 'pass' | 'swallow' | 'hold';
  answers: 'pass' | 'swallow';
  held: Buffer[];
};

/** Bytes that are kept of one connection for replay; a longer connection is not replayed at all, because half of it is noise. */
const MAX_RECORDED_BYTES = 64 * 1024 * 1024;

export async function openTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const links = new Set<Link>();
  const recordings: { chunks: Buffer[]; bytes: number }[] = [];
  let delayMs = 0;
  let swallowedBytes = 0;

  const later = (deliver: () => void) => (delayMs > 0 ? setTimeout(deliver, delayMs) : deliver());

  function connect(client: Socket): void {
    const upstream = new Socket();
    const link: Link = { client, upstream, requests: 'pass', answers: 'pass', held: [] };
    const recording = { chunks: [] as Buffer[], bytes: 0 };
    links.add(link);
    recordings.push(recording);
    client.setNoDelay(true);
    upstream.setNoDelay(true);
    upstream.connect(target.port, target.host);
    client.on('data', (chunk) => {
      recording.bytes += chunk.length;
      if (recording.bytes <= MAX_RECORDED_BYTES) recording.chunks.push(chunk);
      if (link.requests === 'hold') link.held.push(chunk);
      else if (link.requests === 'swallow') swallowedBytes += chunk.length;
      else later(() => upstream.write(chunk));
    });
    upstream.on('data', (chunk) => {
      if (link.answers === 'pass') later(() => client.write(chunk));
    });
    // A broken connection is the proxy's daily business; each side learns of it by its own socket's end.
    client.on('error', () => client.destroy());
    upstream.on('error', () => upstream.destroy());
    client.on('close', () => {
      if (link.requests === 'hold') return;
      later(() => upstream.destroy());
      links.delete(link);
    });
    upstream.on('close', () => {
      later(() => client.destroy());
      links.delete(link);
    });
  }

  function wholeRecordings(): Buffer[] {
    const whole = recordings.filter(({ bytes }) => bytes > 0 && bytes <= MAX_RECORDED_BYTES);
    return whole.map(({ chunks }) => Buffer.concat(chunks));
  }

  function cut(): void {
    for (const link of links) {
      link.requests = 'pass';
      link.client.destroy();
      link.upstream.destroy();
    }
    links.clear();
  }

  let server = await listen(0, connect);
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy listens on no TCP port');
  const { port } = address;

  return {
    host: '127.0.0.1',
    port,
    cut,
    swallowAnswers: () => {
      for (const link of links) link.answers = 'swallow';
    },
    swallowRequests: () => {
      for (const link of links) link.requests = 'swallow';
    },
    swallowedBytes: () => swallowedBytes,
    holdRequests: () => {
      for (const link of links) link.requests = 'hold';
    },
    releaseRequests: async () => {
      const holding = [...links].filter((link) => link.requests === 'hold');
      await Promise.all(holding.map((link) => release(link)));
    },
    delay: (ms) => {
      delayMs = ms;
    },
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
  link.answers = 'swallow';
  link.client.destroy();
  if (link.upstream.destroyed) return;
  const closed = once(link.upstream, 'close');
  link.upstream.end(Buffer.concat(link.held));
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
