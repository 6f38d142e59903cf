// The newest frames of a room, for sessions that come back: most of them have missed little, and that little is here.
// Versions in it are dense; the oldest frames go first when there are too many frames or bytes.
import assert from 'node:assert/strict';
import type { FrameBatch } from './encoded-frame.ts';
import { FrameBlock, type FrameOrNone } from './frame-block.ts';

export type RingBounds = { ringFrames: number; ringBytes: number };

export class FrameRing {
  readonly #bounds: RingBounds;
  #entries: FrameOrNone[] = [];
  /** Entries below this index have gone; they are cut off in one go now and then, because shifting an array costs its length. */
  #start = 0;
  #bytes = 0;
  /** Version of the newest entry, or of the snapshot that the ring began at. */
  #version: number;
  /**
   * What was asked for last, joined; until the next event. Sockets that were cut together have missed the same, or a part of it, so
   * they share these bytes. It is at most as long as the ring.
   */
  #joined: FrameBlock | null = null;
  #lastGiven: { from: number; batch: FrameBatch } | null = null;

  constructor(version: number, bounds: RingBounds) {
    this.#version = version;
    this.#bounds = bounds;
  }

  get version(): number {
    return this.#version;
  }

  /** The version after which everything is here. */
  get reachesBackTo(): number {
    return this.#version - (this.#entries.length - this.#start);
  }

  push(version: number, frame: FrameOrNone): void {
    assert.equal(version, this.#version + 1, 'versions of a room are dense');
    this.#joined = null;
    this.#lastGiven = null;
    this.#version = version;
    this.#entries.push(frame);
    this.#bytes += frame?.wsBytes.length ?? 0;
    while (this.#entries.length - this.#start > this.#bounds.ringFrames || this.#bytes > this.#bounds.ringBytes) {
      this.#bytes -= this.#entries[this.#start]?.wsBytes.length ?? 0;
      this.#entries[this.#start] = null;
      this.#start += 1;
    }
    if (this.#start >= this.#bounds.ringFrames) {
      this.#entries.splice(0, this.#start);
      this.#start = 0;
    }
  }

  /** Takes in frames of the versions right below those that are here, ascending: the newest ones, as far as there is room. */
  extendBack(frames: readonly FrameOrNone[]): void {
    const added: FrameOrNone[] = [];
    for (const frame of frames.toReversed()) {
      const bytes = this.#bytes + (frame?.wsBytes.length ?? 0);
      const count = this.#entries.length - this.#start + added.length;
      if (count >= this.#bounds.ringFrames || bytes > this.#bounds.ringBytes) break;
      this.#bytes = bytes;
      added.push(frame);
    }
    this.#entries = [...added.toReversed(), ...this.#entries.slice(this.#start)];
    this.#start = 0;
  }

  /** The frames of all versions after that one, or null where the ring does not reach back so far. */
  after(version: number): FrameBatch | null {
    if (version < this.reachesBackTo) return null;
    const from = Math.min(version, this.#version);
    if (this.#lastGiven?.from === from) return this.#lastGiven.batch;
    if (this.#joined === null || this.#joined.after > from) {
      const count = this.#version - from;
      this.#joined = new FrameBlock(from, this.#entries.slice(this.#entries.length - count));
    }
    const { batch } = this.#joined.part(from, this.#version);
    this.#lastGiven = { from, batch };
    return batch;
  }
}
