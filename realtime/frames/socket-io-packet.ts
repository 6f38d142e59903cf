/* Frames as socket.io packets, finished for both of its transports: engine.io writes what is in `options` to a WebSocket and `text`
 * into the answer to a poll.
 *
 * Several frames become one packet, because engine.io makes a system call of each. It is several packets for the client: over
 * a WebSocket several WebSocket frames right behind each other, in an answer to a poll several packets with the separator of
 * engine.io protocol 4 between them.
 */
import { type EncodedFrame, type FrameBatch, textToWsBytes } from './encoded-frame.ts';

export type SocketIoPacket = {
  readonly text: string;
  /** engine.io's own options: how it is told that the WebSocket frame has been built already. */
  readonly options: { compress: boolean; wsPreEncodedFrame: Buffer[] };
};

/** The type of a packet that carries something (engine.io protocol 4); engine.io puts it before `text` itself. */
const MESSAGE = '4';
const SEPARATOR = '\x1e';

/** A frame is an EVENT packet of the main namespace: socket.io protocol 5, type 2, then a JSON array. */
export function toSocketIoPacket(frame: EncodedFrame): SocketIoPacket {
  if (frame.socketIo === null) {
    const text = `2["${frame.name}",${frame.json}]`;
    frame.socketIo = toPacket(text, textToWsBytes(`${MESSAGE}${text}`));
  }
  return frame.socketIo;
}

export function batchToSocketIoPacket(batch: FrameBatch): SocketIoPacket {
  batch.socketIo ??= joinPackets(batch.frames.map(toSocketIoPacket));
  return batch.socketIo;
}

export function joinPackets(packets: readonly SocketIoPacket[]): SocketIoPacket {
  const [only] = packets;
  if (only && packets.length === 1) return only;
  const text = packets.map((packet) => packet.text).join(`${SEPARATOR}${MESSAGE}`);
  return toPacket(text, Buffer.concat(packets.flatMap(({ options }) => options.wsPreEncodedFrame)));
}

export function bytesOf(packet: SocketIoPacket): number {
  return packet.options.wsPreEncodedFrame[0]?.length ?? 0;
}

function toPacket(text: string, wsBytes: Buffer): SocketIoPacket {
  return { text, options: { compress: false, wsPreEncodedFrame: [wsBytes] } };
}
