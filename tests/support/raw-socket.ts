// A WebSocket client of single bytes: it sends whatever a test wants to send, also what no client may, and reads the server's
// frames with a strict reader of its own (RFC 6455 §5): a frame that a server may not send is a failure of the test.
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export const OPCODES = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export type ServerFrame = { opcode: number; payload: Buffer };

type FrameOptions = {
  fin?: boolean;
  /** The three reserved bits as a number, 4 being RSV1. */
  rsv?: number;
  masked?: boolean;
  /** What the header says instead of the payload's length. */
  claimedLength?: number | bigint;
  /** The length takes 2 or 8 bytes more than it has to. */
  lengthBytes?: 0 | 2 | 8;
};

const WAIT_MS = 10_000;
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** One frame as a client sends it, or as it must not, by the options. */
export function clientFrame(opcode: number, payload: string | Buffer = '', options: FrameOptions = {}): Buffer {
  const { fin = true, rsv = 0, masked = true } = options;
  const bytes = Buffer.from(payload);
  const length = options.claimedLength ?? bytes.length;
  const lengthBytes = options.lengthBytes ?? (length <= 125 ? 0 : length <= 65_535 ? 2 : 8);
  const header = Buffer.alloc(2 + lengthBytes);
  header[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  header[1] = (masked ? 0x80 : 0) | (lengthBytes === 0 ? Number(length) : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) header.writeUInt16BE(Number(length), 2);
  if (lengthBytes === 8) header.writeBigUInt64BE(BigInt(length), 2);
  if (!masked) return Buffer.concat([header, bytes]);
  const hidden = Buffer.from(bytes.map((byte, index) => byte ^ (MASK[index % 4] ?? 0)));
  return Buffer.concat([header, MASK, hidden]);
}

export function closeFrame(code: number | null, reason: string | Buffer = ''): Buffer {
  if (code === null) return clientFrame(OPCODES.close);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return clientFrame(OPCODES.close, Buffer.concat([head, Buffer.from(reason)]));
}

export class RawSocket {
  readonly socket: Socket;
  /** The response to the upgrade, without the empty line. */
  readonly response: string;
  readonly frames: ServerFrame[] = [];
  #unread: Buffer;
  #isEnded = false;
  #fault: Error | null = null;
  #changed = Promise.withResolvers<void>();

  constructor(socket: Socket, response: string, rest: Buffer) {
    this.socket = socket;
    this.response = response;
    this.#unread = rest;
    this.#read();
    socket.on('data', (chunk: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, chunk]);
      this.#read();
      this.#wake();
    });
    socket.on('close', () => {
      this.#isEnded = true;
      this.#wake();
    });
  }

  send(...pieces: Buffer[]): void {
    this.socket.write(Buffer.concat(pieces));
  }

  /** Each byte in a TCP segment of its own, as far as the kernel allows it. */
  async sendByBytes(bytes: Buffer): Promise<void> {
    for (const byte of bytes) {
      await new Promise((resolve) => this.socket.write(Buffer.from([byte]), resolve));
    }
  }

  /** The JSON of every text frame until now. */
  texts(): { event?: string; ref?: number | string; data?: unknown; error?: { code: string } }[] {
    return this.frames
      .filter(({ opcode }) => opcode === OPCODES.text)
      .map(({ payload }) => JSON.parse(payload.toString('utf8')));
  }

  /** Resolves with what `look` finds, which is asked again after everything that comes. */
  async until<Value>(look: () => Value | undefined | false, what: string): Promise<Value> {
    const late = setTimeout(() => this.#fail(new Error(`${what} did not come`)), WAIT_MS);
    try {
      for (;;) {
        const value = look();
        if (this.#fault) throw this.#fault;
        if (value !== undefined && value !== false) return value;
        if (this.#isEnded) throw new Error(`the connection ended before ${what} came`);
        await this.#changed.promise;
      }
    } finally {
      clearTimeout(late);
    }
  }

  async answer(ref: number | string): Promise<{ data?: unknown; error?: { code: string } }> {
    return this.until(() => this.texts().find((text) => text.ref === ref), `the answer ${ref}`);
  }

  /** The code of the server's close frame (1005: none in it), or 1006 where the connection ended without one. */
  async closeCode(): Promise<number> {
    await this.until(() => this.#isEnded || this.#closeFrame() !== undefined, 'the close');
    const payload = this.#closeFrame()?.payload;
    if (payload === undefined) return 1006;
    return payload.length === 0 ? 1005 : payload.readUInt16BE(0);
  }

  /** Resolves when the server has ended the TCP connection. */
  async ended(): Promise<void> {
    await this.until(() => this.#isEnded, 'the end of the connection');
  }

  /** Fails where the server has sent what it may not. */
  assertSound(): void {
    if (this.#fault) throw this.#fault;
  }

  #closeFrame(): ServerFrame | undefined {
    return this.frames.find(({ opcode }) => opcode === OPCODES.close);
  }

  #read(): void {
    try {
      for (let frame = takeFrame(this.#unread); frame !== null; frame = takeFrame(this.#unread)) {
        assert.equal(this.#closeFrame(), undefined, 'nothing follows a close frame');
        this.frames.push({ opcode: frame.opcode, payload: frame.payload });
        this.#unread = this.#unread.subarray(frame.bytes);
      }
    } catch (error) {
      this.#fail(error as Error);
    }
  }

  #fail(error: Error): void {
    this.#fault ??= error;
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** The first whole frame, or null. Fails on every frame that this server may not send. */
function takeFrame(bytes: Buffer): { opcode: number; payload: Buffer; bytes: number } | null {
  if (bytes.length < 2) return null;
  const [first = 0, second = 0] = bytes;
  assert.equal(first & 0x70, 0, 'reserved bits are not set');
  assert.equal(first & 0x80, 0x80, 'every frame is a whole message');
  assert.equal(second & 0x80, 0, 'a server does not mask');
  const opcode = first & 0x0f;
  assert.ok(
    ([OPCODES.text, OPCODES.close, OPCODES.ping, OPCODES.pong] as number[]).includes(opcode),
    `opcode ${opcode}`,
  );
  const short = second & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  if (bytes.length < 2 + lengthBytes) return null;
  const length =
    lengthBytes === 0 ? short : lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (lengthBytes === 2) assert.ok(length > 125, 'the shortest header is used');
  if (lengthBytes === 8) assert.ok(length > 65_535, 'the shortest header is used');
  if (opcode >= OPCODES.close) assert.ok(length <= 125, 'a control frame is short');
  const start = 2 + lengthBytes;
  if (bytes.length < start + length) return null;
  const payload = Buffer.from(bytes.subarray(start, start + length));
  if (opcode === OPCODES.text) assert.ok(isUtf8(payload), 'a text is UTF-8');
  if (opcode === OPCODES.close) assert.ok(length !== 1 && isUtf8(payload.subarray(2)), 'a close frame is well formed');
  return { opcode, payload, bytes: start + length };
}

/** Upgrades with the token in the header (none where it is undefined) and, where given, more header lines. */
export async function openRawSocket(httpUrl: string, token?: string, headers: string[] = []): Promise<RawSocket> {
  const { hostname, port } = new URL(httpUrl);
  const socket = connect(Number(port), hostname);
  socket.setNoDelay(true);
  // The server may end it in the middle of what is sent; tests look at frames and at the end.
  socket.on('error', () => undefined);
  socket.write(upgradeRequest([...(token === undefined ? [] : [`Authorization: Bearer ${token}`]), ...headers]));
  let bytes = Buffer.alloc(0);
  while (!bytes.includes('\r\n\r\n')) {
    const [chunk] = (await once(socket, 'data', { signal: AbortSignal.timeout(WAIT_MS) })) as [Buffer];
    bytes = Buffer.concat([bytes, chunk]);
  }
  const end = bytes.indexOf('\r\n\r\n');
  return new RawSocket(socket, bytes.subarray(0, end).toString('latin1'), bytes.subarray(end + 4));
}

export function upgradeRequest(headers: string[] = []): string {
  return [
    'GET / HTTP/1.1',
    'Host: roomlog',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
    '\r\n',
  ].join('\r\n');
}
