// The newest frames of a room by version, for sockets that come back: most of them have missed little, and that little is here.
// Versions in it are dense; the oldest frames go first when there are too many frames or bytes.
import assert from 'node:assert/strict';
import type { EncodedFrame } from './encoded-frame.ts';

export type RingBounds = { ringFrames: number; ringBytes: number };

/** An event that has no frame takes its place in the ring with null, so that versions stay dense. */
type Entry = EncodedFrame | null;

export class FrameRing {
  readonly #bounds: RingBounds;
  readonly #entries: Entry[] = [];
  /** Entries below this index have gone; they are cut off in one go now and then, because shifting an array costs its length. */
  #start = 0;
  #bytes = 0;
  /** Version of the newest entry, or of the snapshot that the ring began at. */
  #version: number;

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

  push(version: number, frame: Entry): void {
    assert.equal(version, this.#version + 1, 'versions of a room are dense');
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

  /** The frames of all versions after that one, or null where the ring does not reach back so far. */
  after(version: number): EncodedFrame[] | null {
    if (version < this.reachesBackTo) return null;
    const count = Math.max(0, this.#version - version);
    return this.#entries.slice(this.#entries.length - count).filter((entry) => entry !== null);
  }
}
