/* What history has of rooms, for sessions that are further behind than a room's ring: in blocks of consecutive versions, which all
 * sessions of the node share.
 *
 * What happened never changes, so a block that has been read stays right, whatever becomes of the room here. So a thousand sessions
 * that are behind cost one read a block:
 * - who wants a block that is being read waits for that read;
 * - blocks are kept, the most recently used ones, within a bound of bytes, and forgotten when nobody wants them any more.
 * A block may end early: history had no more then. Who wants what comes after has the block read again.
 *
 * Only a few reads are under way at a time, and each session waits for one block at a time, so one that is very far behind takes
 * its turn with all others, block by block, and leaves connections to PostgreSQL to rooms that are loaded.
 */
import { FrameBlock } from '../frames/frame-block.ts';
import type { RoomSource } from './room-source.ts';
import { changesRightAbove, changeToFrame } from './room-state.ts';

export type BlockBounds = {
  blockEvents: number;
  blockCacheBytes: number;
  blockKeepMs: number;
  blockReads: number;
  blocksWaiting: number;
};

export type HistoryBlocksDeps = {
  source: Pick<RoomSource, 'eventsAfter'>;
  now: () => number;
  bounds: BlockBounds;
};

type Kept = { block: FrameBlock; usedAt: number };

/** As many blocks wait to be read as may. */
export class TooManyBlocksError extends Error {
  override readonly name = 'TooManyBlocksError';
  readonly code = 'busy';
  readonly retryable = true;
}

export class HistoryBlocks {
  readonly #deps: HistoryBlocksDeps;
  /** The one that was used last is the last one. */
  readonly #keptByKey = new Map<string, Kept>();
  readonly #readingByKey = new Map<string, Promise<FrameBlock>>();
  readonly #waiting: (() => void)[] = [];
  #reads = 0;
  #bytes = 0;

  constructor(deps: HistoryBlocksDeps) {
    this.#deps = deps;
  }

  /** Bytes of the blocks that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The block with the version right after that one, or null where history does not have it yet. Throws TooManyBlocksError, and
   * what the source does.
   */
  async after(roomId: string, version: number): Promise<FrameBlock | null> {
    const { blockEvents } = this.#deps.bounds;
    const begin = version - (version % blockEvents);
    const key = `${begin} ${roomId}`;
    const kept = this.#keptByKey.get(key);
    if (kept && kept.block.upTo > version) {
      this.#keep(key, kept.block);
      return kept.block;
    }
    const block = await (this.#readingByKey.get(key) ?? this.#startReading(key, roomId, begin));
    return block.upTo > version ? block : null;
  }

  /** Forgets what nobody has wanted for blockKeepMs. */
  tick(): void {
    const before = this.#deps.now() - this.#deps.bounds.blockKeepMs;
    for (const [key, { usedAt }] of this.#keptByKey) {
      if (usedAt > before) return;
      this.#forget(key);
    }
  }

  #startReading(key: string, roomId: string, begin: number): Promise<FrameBlock> {
    const reading = this.#read(key, roomId, begin).finally(() => this.#readingByKey.delete(key));
    this.#readingByKey.set(key, reading);
    return reading;
  }

  async #read(key: string, roomId: string, begin: number): Promise<FrameBlock> {
    const { source, bounds } = this.#deps;
    await this.#takeTurn();
    try {
      const changes = await source.eventsAfter(roomId, begin, bounds.blockEvents);
      const block = new FrameBlock(begin, changesRightAbove(changes, begin).map(changeToFrame));
      if (block.upTo > begin) this.#keep(key, block);
      return block;
    } finally {
      this.#endTurn();
    }
  }

  async #takeTurn(): Promise<void> {
    const { blockReads, blocksWaiting } = this.#deps.bounds;
    if (this.#reads < blockReads) {
      this.#reads += 1;
      return;
    }
    if (this.#waiting.length >= blocksWaiting) throw new TooManyBlocksError('too many sessions wait for missed events');
    // Whoever ends a turn hands it on.
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #endTurn(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#reads -= 1;
  }

  #keep(key: string, block: FrameBlock): void {
    this.#forget(key);
    this.#keptByKey.set(key, { block, usedAt: this.#deps.now() });
    this.#bytes += block.bytes;
    for (const oldest of this.#keptByKey.keys()) {
      if (this.#bytes <= this.#deps.bounds.blockCacheBytes) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const kept = this.#keptByKey.get(key);
    if (!kept) return;
    this.#keptByKey.delete(key);
    this.#bytes -= kept.block.bytes;
  }
}
