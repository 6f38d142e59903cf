/* Follows the whole log from where history was when the node started, and hands what concerns this node to the hub.
 *
 * Guarantee: every later snapshot of a room that has caught up with `recordsSeen` of its partition, together with the events
 * handed to the hub after that, is complete. It holds because the tail begins at the checkpoints, which history never goes back
 * behind. Records of rooms that nobody on this node is in are not even decoded.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Codec } from '../event-log/codec/codec.ts';
import type { EventLog, LogBatch, LogFollower, LogRecord } from '../event-log/event-log.ts';
import type { Logger } from '../platform/logger.ts';
import type { ChatEvent } from '../schemas/generated/events.ts';
import { BOUNDS } from './bounds.ts';

export type TailDeps = {
  eventLog: EventLog;
  codec: Pick<Codec, 'tryDecode' | 'learn'>;
  /** Whether somebody on this node wants the stream's events. */
  wants: (stream: string) => boolean;
  onEvent: (event: ChatEvent) => void;
  logger: Logger;
};

/** The tail did not reach the log's head in time, so it cannot be told whether what is known here is up to date. */
export class TailBehindError extends Error {
  override readonly name = 'TailBehindError';
  readonly code = 'tail_behind';
  readonly retryable = true;
}

type Waiter = { offset: number; reached: () => void };
type PartitionState = { nextOffset: number; recordsSeen: number; head: number; waiters: Set<Waiter> };

const LEARN_PAUSE_MS = 500;

export class LogTail {
  readonly #deps: TailDeps;
  readonly #partitions: PartitionState[];
  readonly #follower: LogFollower;
  #isStopped = false;

  /** `from` are history's checkpoints; a partition that is absent is followed from 0. */
  constructor(deps: TailDeps, from: ReadonlyMap<number, number>) {
    this.#deps = deps;
    const { partitions } = deps.eventLog;
    const starts = Array.from({ length: partitions }, (_, partition) => from.get(partition) ?? 0);
    this.#partitions = starts.map((start) => ({
      nextOffset: start,
      recordsSeen: start,
      head: start,
      waiters: new Set(),
    }));
    this.#follower = deps.eventLog.follow({
      from: new Map(starts.map((start, partition) => [partition, start])),
      handle: (batch) => this.#handle(batch),
    });
  }

  /** Resolves after stop(); rejects on what following the log cannot survive. */
  run(): Promise<void> {
    return this.#follower.run();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#follower.stop();
  }

  /** Where the records that were handed on end: behind the newest of them, not behind barriers, which history may not count. */
  recordsSeen(partition: number): number {
    return this.#partition(partition).recordsSeen;
  }

  /** Records between the tail and the head as far as it knows, over all partitions. */
  lag(): number {
    return this.#partitions.reduce((sum, { head, nextOffset }) => sum + Math.max(0, head - nextOffset), 0);
  }

  /**
   * Resolves when everything that was in the partition at the time of the call has been handed to the hub. Throws
   * TailBehindError after BOUNDS.catchUpMs, and what `head` throws when the log cannot be reached.
   */
  async catchUp(partition: number): Promise<void> {
    const head = await this.#deps.eventLog.head(partition);
    const state = this.#partition(partition);
    if (state.nextOffset >= head) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { offset: head, reached: resolve };
    const timer = setTimeout(() => reject(new TailBehindError(`not at offset ${head} yet`)), BOUNDS.catchUpMs);
    state.waiters.add(waiter);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      state.waiters.delete(waiter);
    }
  }

  /**
   * Whether a record is wanted and that it has been seen is settled in one turn, record by record: a room that begins to listen
   * in between must neither miss one nor wait for history to have it.
   */
  async #handle(batch: LogBatch): Promise<void> {
    const state = this.#partition(batch.partition);
    for (const record of batch.records) {
      if (this.#deps.wants(record.key)) {
        // Awaits only what has to be fetched: a thousand records must not cost a thousand turns.
        const learnt = this.#handOn(record, batch.partition);
        if (learnt) await learnt;
      }
      state.recordsSeen = record.offset + 1;
    }
    state.nextOffset = batch.nextOffset;
    state.head = batch.head;
    for (const waiter of state.waiters) if (waiter.offset <= state.nextOffset) waiter.reached();
  }

  #handOn(record: LogRecord, partition: number): Promise<void> | undefined {
    const decoded = this.#deps.codec.tryDecode(record.value);
    if ('unknownSchema' in decoded) return this.#learn(decoded.unknownSchema, record, partition);
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
  async #learn(schemaId: number, record: LogRecord, partition: number): Promise<void> {
    while (!this.#isStopped) {
      try {
        await this.#deps.codec.learn(schemaId);
        return await this.#handOn(record, partition);
      } catch (error) {
        this.#deps.logger.warn({ err: error, schemaId }, 'a schema cannot be had now');
        await pause(LEARN_PAUSE_MS);
      }
    }
  }

  #partition(partition: number): PartitionState {
    const state = this.#partitions[partition];
    if (!state) throw new RangeError(`the log has no partition ${partition}`);
    return state;
  }
}
