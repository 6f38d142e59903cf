/* Follows the partitions of the log in which this node has rooms, and hands what concerns them to the hub.
 *
 * Guarantee: every later snapshot of a room that has caught up with `recordsSeen` of its partition, together with the events
 * handed to the hub after that, is complete. It holds for a room that listens before it calls `hold`, whenever its partition began:
 * - Its hold begins the partition: following begins at a checkpoint of history that is read before any such snapshot. History never
 *   goes back behind it, so what lies below it is in every snapshot, and what lies at or above it is handed on.
 * - The partition is followed already: what lies below `recordsSeen` was handed on or passed over before it was asked for, and is in
 *   a snapshot that has caught up with it; what lies at or above it is handed on.
 * A partition that was left and is held again begins anew, at a checkpoint read anew; nothing of the time before is handed on then.
 *
 * Records of rooms that nobody on this node is in are not even decoded, and partitions without rooms are not even fetched.
 */
import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import type { Codec } from '../event-log/codec/codec.ts';
import type { EventLog, LogBatch, LogFollower, LogRecord } from '../event-log/event-log.ts';
import type { Logger } from '../platform/logger.ts';
import type { ChatEvent } from '../schemas/generated/events.ts';
import { BOUNDS } from './bounds.ts';
import type { RoomSource } from './rooms/room-source.ts';
import { SharedLook } from './shared-look.ts';

export type TailDeps = {
  eventLog: EventLog;
  source: Pick<RoomSource, 'checkpoints'>;
  codec: Pick<Codec, 'tryDecode' | 'learn'>;
  /** Whether somebody on this node wants the stream's events. */
  wants: (stream: string) => boolean;
  onEvent: (event: ChatEvent) => void;
  logger: Logger;
};

/** The tail did not reach the log's head in time or at all, so it cannot be told whether what is known here is up to date. */
export class TailBehindError extends Error {
  override readonly name = 'TailBehindError';
  readonly code = 'tail_behind';
  readonly retryable = true;
}

type Waiter = { offset: number; reached: () => void; failed: (error: TailBehindError) => void };
type PartitionState = {
  nextOffset: number;
  recordsSeen: number;
  head: number;
  readonly waiters: Set<Waiter>;
  /** The last room has gone: what is left of the batch in hand concerns nobody. */
  isReleased: boolean;
  /** Where the log ends, asked for as often as there is an answer at most. */
  readonly headLook: SharedLook<number>;
  upToDateAt: number;
  isBeingChecked: boolean;
};
/** `state` is there from when following has begun, which is what `began` waits for. */
type Hold = { rooms: number; state: PartitionState | null; readonly began: Promise<void> };

const LEARN_PAUSE_MS = 500;
const NEVER = Number.NEGATIVE_INFINITY;

export class LogTail {
  readonly #deps: TailDeps;
  readonly #holdByPartition = new Map<number, Hold>();
  /** Partitions whose last batch may still be in hand: they cannot begin again before it is done. */
  readonly #endingByPartition = new Map<number, Promise<void>>();
  readonly #follower: LogFollower;
  #readingCheckpoints: Promise<ReadonlyMap<number, number>> | null = null;
  #ticks = 0;
  #isStopped = false;

  constructor(deps: TailDeps) {
    this.#deps = deps;
    this.#follower = deps.eventLog.follow({ from: new Map(), handle: (batch) => this.#handle(batch) });
  }

  /** Resolves after stop(); rejects on what following the log cannot survive. */
  run(): Promise<void> {
    return this.#follower.run();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#follower.stop();
  }

  /**
   * Follows the partition until as many calls of `release`; resolves when that has begun. The room must listen before the call.
   * Where history's checkpoints cannot be read it rejects with the reason, and nothing is held.
   */
  async hold(partition: number): Promise<void> {
    const hold = this.#holdByPartition.get(partition) ?? this.#firstHold(partition);
    hold.rooms += 1;
    try {
      await hold.began;
    } catch (error) {
      // All that share it fail with it; whoever comes next tries anew.
      if (this.#holdByPartition.get(partition) === hold) this.#holdByPartition.delete(partition);
      throw error;
    }
  }

  /** Ends one hold that has resolved; with the last one of the partition following it ends. */
  release(partition: number): void {
    const hold = this.#holdByPartition.get(partition);
    assert.ok(hold?.state, `partition ${partition} is not held`);
    hold.rooms -= 1;
    if (hold.rooms > 0) return;
    this.#holdByPartition.delete(partition);
    hold.state.isReleased = true;
    for (const waiter of hold.state.waiters) waiter.failed(notFollowed());
    const ending = this.#follower.remove(partition).then(() => void this.#endingByPartition.delete(partition));
    this.#endingByPartition.set(partition, ending);
  }

  /** How many partitions are followed, or about to be. */
  get partitionCount(): number {
    return this.#holdByPartition.size;
  }

  /**
   * Where the records that were handed on end: behind the newest of them, not behind barriers, which history may not count. Asked
   * for a partition that is not held it is a bug, and so is `catchUp`.
   */
  recordsSeen(partition: number): number {
    return this.#stateOf(partition).recordsSeen;
  }

  /** Records between the tail and the head as far as it knows, over all partitions that are followed. */
  lag(): number {
    let lag = 0;
    for (const { state } of this.#holdByPartition.values()) {
      if (state) lag += Math.max(0, state.head - state.nextOffset);
    }
    return lag;
  }

  /**
   * Resolves with `recordsSeen` when everything that was in the partition at the time of the call has been handed to the hub.
   * Throws TailBehindError after BOUNDS.catchUpMs, or when the last hold has ended meanwhile, and what `head` throws when the log
   * cannot be reached.
   */
  async catchUp(partition: number): Promise<number> {
    const state = this.#stateOf(partition);
    const head = await state.headLook.take();
    if (state.nextOffset < head) await reached(state, head);
    return state.recordsSeen;
  }

  /** Once a second: asks now and then whether all there is in the log has been handed on, of a few partitions at a time. */
  tick(now: number): void {
    this.#ticks += 1;
    for (const [partition, { state }] of this.#holdByPartition) {
      if (state === null || state.isBeingChecked) continue;
      const isDue = (this.#ticks + partition) % BOUNDS.headEverySeconds === 0;
      if (isDue || state.upToDateAt === NEVER) void this.#check(partition, state, now);
    }
  }

  /**
   * The newest time, as \`tick\` was told it, of which it is known that everything that was in the partition then has been handed to
   * the hub; long ago where it is not held or was never known.
   */
  upToDateAt(partition: number): number {
    return this.#holdByPartition.get(partition)?.state?.upToDateAt ?? NEVER;
  }

  async #check(partition: number, state: PartitionState, now: number): Promise<void> {
    state.isBeingChecked = true;
    try {
      await this.catchUp(partition);
      state.upToDateAt = now;
    } catch (error) {
      this.#deps.logger.debug(
        { err: error, partition },
        'it cannot be told whether the tail is at the head of the log',
      );
    } finally {
      state.isBeingChecked = false;
    }
  }

  #stateOf(partition: number): PartitionState {
    const state = this.#holdByPartition.get(partition)?.state;
    assert.ok(state, `partition ${partition} is not held`);
    return state;
  }

  #firstHold(partition: number): Hold {
    const began = this.#startOf(partition).then((start) => {
      hold.state = newState(start, new SharedLook(() => this.#deps.eventLog.head(partition)));
      this.#follower.add(partition, start);
    });
    const hold: Hold = { rooms: 0, state: null, began };
    this.#holdByPartition.set(partition, hold);
    return hold;
  }

  /** History's checkpoint of the partition: 0 where there is none. */
  async #startOf(partition: number): Promise<number> {
    await this.#endingByPartition.get(partition);
    // Rooms of many partitions may come at once. One that shares a look which began before it came starts further back, no worse.
    this.#readingCheckpoints ??= this.#deps.source.checkpoints().finally(() => {
      this.#readingCheckpoints = null;
    });
    return (await this.#readingCheckpoints).get(partition) ?? 0;
  }

  /**
   * Whether a record is wanted and that it has been seen is settled in one turn, record by record: a room that begins to listen
   * in between must neither miss one nor wait for history to have it.
   */
  async #handle(batch: LogBatch): Promise<void> {
    const state = this.#stateOf(batch.partition);
    for (const record of batch.records) {
      if (this.#deps.wants(record.key)) {
        // Awaits only what has to be fetched: a thousand records must not cost a thousand turns.
        const learnt = this.#handOn(record, batch.partition, state);
        if (learnt) await learnt;
        // Whoever comes now begins at a checkpoint, and must not get from here what they get from there.
        if (state.isReleased) return;
      }
      state.recordsSeen = record.offset + 1;
    }
    state.nextOffset = batch.nextOffset;
    state.head = batch.head;
    for (const waiter of state.waiters) if (waiter.offset <= state.nextOffset) waiter.reached();
  }

  #handOn(record: LogRecord, partition: number, state: PartitionState): Promise<void> | undefined {
    // Released while its schema was asked for.
    if (state.isReleased) return undefined;
    const decoded = this.#deps.codec.tryDecode(record.value);
    if ('unknownSchema' in decoded) return this.#learn(decoded.unknownSchema, record, partition, state);
    if ('event' in decoded) {
      this.#deps.onEvent(decoded.event);
    } else {
      // The stream then has a gap, which its room finds by the version.
      const { offset, key } = record;
      const err =
        'undecodable' in decoded ? decoded.undecodable : new Error(`unknown event type ${decoded.unknownType}`);
      this.#deps.logger.error({ partition, offset, stream: key, err }, 'a record cannot be shown');
    }
    return undefined;
  }

  /** Tries until the schema can be asked for: to pass over the record would be wrong, and the lag shows that it waits. */
  async #learn(schemaId: number, record: LogRecord, partition: number, state: PartitionState): Promise<void> {
    while (!this.#isStopped && !state.isReleased) {
      try {
        await this.#deps.codec.learn(schemaId);
        return await this.#handOn(record, partition, state);
      } catch (error) {
        this.#deps.logger.warn({ err: error, schemaId }, 'a schema cannot be had now');
        await pause(LEARN_PAUSE_MS);
      }
    }
  }
}

function newState(start: number, headLook: SharedLook<number>): PartitionState {
  return {
    nextOffset: start,
    recordsSeen: start,
    head: start,
    waiters: new Set(),
    isReleased: false,
    headLook,
    upToDateAt: NEVER,
    isBeingChecked: false,
  };
}

async function reached(state: PartitionState, offset: number): Promise<void> {
  if (state.isReleased) throw notFollowed();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const waiter: Waiter = { offset, reached: resolve, failed: reject };
  const timer = setTimeout(() => reject(new TailBehindError(`not at offset ${offset} yet`)), BOUNDS.catchUpMs);
  state.waiters.add(waiter);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    state.waiters.delete(waiter);
  }
}

function notFollowed(): TailBehindError {
  return new TailBehindError('the partition is not followed any more');
}
