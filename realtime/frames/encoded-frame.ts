// A server frame as bytes. A frame is encoded once, however many sockets get it: system calls and copies are what delivery costs,
// so the bytes are shared and the frames of one event-loop turn are joined once a room (see ../sessions/turn-queue.ts).
import type { ServerFrameData } from '../../schemas/server-frames.ts';
import type { ServerFrameName } from '../../schemas/wire.ts';
import { joinBytes } from './join-bytes.ts';
import type { SocketIoPacket } from './socket-io-packet.ts';

export type EncodedFrame = {
  readonly name: ServerFrameName;
  /** The frame's data as JSON. */
  readonly json: string;
  /** The version of the room that a client has once it has this frame and all before it; null where the frame says nothing of it. */
  readonly version: number | null;
  /** The whole WebSocket frame, header included. */
  readonly wsBytes: Buffer;
  /** The same as a socket.io packet; made when the first socket.io session needs it, then kept (./socket-io-packet.ts). */
  socketIo: SocketIoPacket | null;
  /** The same as a Server-Sent Event; made when the first stream needs it, then kept (./sse-bytes.ts). */
  sseBytes: Buffer | null;
};

/** Frames that go to several sockets together, in order. */
export type FrameBatch = {
  readonly frames: readonly EncodedFrame[];
  /** All of them in one piece of memory. */
  readonly wsBytes: Buffer;
  /** All of them as one packet; made when the first socket.io session needs it. */
  socketIo: SocketIoPacket | null;
  /** All of them as Server-Sent Events; made when the first stream needs them. */
  sseBytes: Buffer | null;
};

/** `data` is what schemas/server-frames.ts says of that name. */
export function encodeFrame<Name extends ServerFrameName>(
  name: Name,
  data: ServerFrameData<Name>,
  version: number | null = null,
): EncodedFrame {
  return encodeFrameJson(name, JSON.stringify(data), version);
}

/** `json` must be what the frame's data is as JSON; nothing looks at it. */
export function encodeFrameJson(name: ServerFrameName, json: string, version: number | null = null): EncodedFrame {
  const wsBytes = textToWsBytes(`{"event":"${name}","data":${json}}`);
  return { name, json, version, wsBytes, socketIo: null, sseBytes: null };
}

export function joinFrames(frames: readonly EncodedFrame[]): FrameBatch {
  const [only] = frames;
  const wsBytes = only && frames.length === 1 ? only.wsBytes : joinBytes(frames.map((frame) => frame.wsBytes));
  return { frames, wsBytes, socketIo: null, sseBytes: null };
}

const LONGEST_IN_HEADER = 125;
const LONGEST_IN_TWO_BYTES = 65_535;
const FINAL_TEXT_FRAME = 0x81;

/**
 * A text as one unmasked, final WebSocket frame (RFC 6455 §5.2), in one allocation: ws' own Sender.frame gives header and payload
 * in two pieces, which would have to be copied together again.
 */
export function textToWsBytes(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headerBytes = length <= LONGEST_IN_HEADER ? 2 : length <= LONGEST_IN_TWO_BYTES ? 4 : 10;
  const bytes = Buffer.allocUnsafe(headerBytes + length);
  bytes[0] = FINAL_TEXT_FRAME;
  if (headerBytes === 2) {
    bytes[1] = length;
  } else if (headerBytes === 4) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeBigUInt64BE(BigInt(length), 2);
  }
  bytes.write(text, headerBytes, 'utf8');
  return bytes;
}
