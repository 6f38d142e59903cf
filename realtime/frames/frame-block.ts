// Frames of consecutive versions in one piece of memory. Whoever missed some of them is sent a view of that memory, so a thousand
// sockets that come back share one copy, in the node and on the way to the kernel.
import assert from 'node:assert/strict';
import { SERVER_FRAMES, type ServerFrameName } from '../../schemas/wire.ts';
import type { EncodedFrame, FrameBatch } from './encoded-frame.ts';
import type { SocketIoPacket } from './socket-io-packet.ts';

/** An event that has no frame takes its place with null, so that versions stay dense. */
export type FrameOrNone = EncodedFrame | null;

/** A part of a block, and the version that who has it has come to. */
export type BlockPart = { batch: FrameBatch; upTo: number };

export class FrameBlock {
  /** The version right below the first frame. */
  readonly after: number;
  readonly #wsBytes: Buffer;
  /** By version: where its frame ends. */
  readonly #ends: Uint32Array;

  constructor(after: number, frames: readonly FrameOrNone[]) {
    this.after = after;
    this.#wsBytes = Buffer.concat(frames.filter((frame) => frame !== null).map((frame) => frame.wsBytes));
    this.#ends = new Uint32Array(frames.length);
    let end = 0;
    for (const [index, frame] of frames.entries()) {
      end += frame?.wsBytes.length ?? 0;
      this.#ends[index] = end;
    }
  }

  /** The version of the last frame. */
  get upTo(): number {
    return this.after + this.#ends.length;
  }

  /** What the block costs to keep, but for a few small objects. */
  get bytes(): number {
    return this.#wsBytes.length + this.#ends.byteLength;
  }

  /** The versions in (from, to], both within the block, but no more than `maxBytes` of them: one at least, however long it is. */
  part(from: number, to: number, maxBytes = Number.POSITIVE_INFINITY): BlockPart {
    assert.ok(from >= this.after && from <= to && to <= this.upTo, 'a part lies within its block');
    const begin = this.#endOf(from);
    let upTo = Math.min(from + 1, to);
    while (upTo < to && this.#endOf(upTo + 1) - begin <= maxBytes) upTo += 1;
    return { batch: new PartBatch(this, from, upTo), upTo };
  }

  /** The bytes of the frames of the versions in (from, to]. */
  wsBytesOf(from: number, to: number): Buffer {
    return this.#wsBytes.subarray(this.#endOf(from), this.#endOf(to));
  }

  #endOf(version: number): number {
    return version === this.after ? 0 : (this.#ends[version - this.after - 1] ?? 0);
  }
}

/**
 * Only the bytes of the frames are kept. A bare WebSocket needs no more; other transports, which do, have the frames read out of the
 * bytes again, which costs less than keeping both for everybody.
 */
class PartBatch implements FrameBatch {
  readonly wsBytes: Buffer;
  socketIo: SocketIoPacket | null = null;
  sseBytes: Buffer | null = null;
  readonly #block: FrameBlock;
  readonly #from: number;
  readonly #upTo: number;
  #frames: EncodedFrame[] | null = null;

  constructor(block: FrameBlock, from: number, upTo: number) {
    this.wsBytes = block.wsBytesOf(from, upTo);
    this.#block = block;
    this.#from = from;
    this.#upTo = upTo;
  }

  get frames(): readonly EncodedFrame[] {
    this.#frames ??= this.#readFrames();
    return this.#frames;
  }

  #readFrames(): EncodedFrame[] {
    const frames: EncodedFrame[] = [];
    for (let version = this.#from + 1; version <= this.#upTo; version++) {
      const wsBytes = this.#block.wsBytesOf(version - 1, version);
      if (wsBytes.length > 0) frames.push(readFrame(wsBytes, version));
    }
    return frames;
  }
}

const NAMES: ReadonlySet<string> = new Set(Object.values(SERVER_FRAMES));
const BEFORE_NAME = '{"event":"';
const BEFORE_DATA = '","data":';

/** What encodeFrameJson made the bytes of. */
function readFrame(wsBytes: Buffer, version: number): EncodedFrame {
  const lengthByte = wsBytes[1] ?? 0;
  const text = wsBytes.toString('utf8', lengthByte < 126 ? 2 : lengthByte === 126 ? 4 : 10);
  const nameEnds = text.indexOf('"', BEFORE_NAME.length);
  const name = text.slice(BEFORE_NAME.length, nameEnds);
  assert.ok(isName(name), 'a block holds frames of the service');
  const json = text.slice(nameEnds + BEFORE_DATA.length, -1);
  return { name, json, version, wsBytes, socketIo: null, sseBytes: null };
}

function isName(name: string): name is ServerFrameName {
  return NAMES.has(name);
}
