/* THE OWNER of a partition: decides its commands and appends what they lead to.
 *
 * One append is in flight at a time. What arrives meanwhile waits, and leaves together with the next one (group commit): the
 * batch grows with the load, so the rate does not depend on how long an append takes. Sending every command at once would need
 * as many round trips as commands; a timer that collects for some milliseconds would make a quiet system slow.
 *
 * What is guaranteed, whatever the network does:
 * - An acceptance is told only when the events are in the log. A refusal is told only when the log has confirmed that nothing
 *   was missing from the state it was decided on: by the append it came along with, else by the head. So a refusal is never
 *   out of date either, whoever else writes.
 * - No append is made unless everything below its offset is folded. So after a conflict the log is read first, and after an
 *   append without an answer a barrier settles what became of it, and only then the next one leaves.
 * - Every command gets an answer within LIMITS.commandMs of its arrival (and one tick): `log_unavailable` where nothing definite
 *   is known by then. What became of such a command is still settled, so that repeating it is safe.
 *
 * Being the owner is a matter of speed alone: if two processes own a partition at once, each one's appends make the other's
 * conflict, and nothing is lost or done twice.
 *
 * It begins with the newest snapshot of its partition where there is one, and writes snapshots in the background for the next owner
 * (partition/snapshotter.ts).
 */
import assert from 'node:assert/strict';
import type { Codec } from '../event-log/codec/codec.ts';
import { type EventLog, OutcomeUnknownError } from '../event-log/event-log.ts';
import type { SnapshotStore } from '../event-log/snapshot-store.ts';
import type { Ids } from '../platform/ids.ts';
import type { Logger } from '../platform/logger.ts';
import { isRetryable } from '../platform/retryable.ts';
import type { Time } from '../platform/time.ts';
import type { WrittenPositions } from '../platform/written-positions.ts';
import { type Command, streamOfRoom } from '../schemas/commands.ts';
import { LIMITS } from '../schemas/limits.ts';
import { type Rejection, reject } from '../schemas/rejections.ts';
import { checkCommand } from './chatroom/decide.ts';
import type { CommandMetrics } from './metrics.ts';
import { AppendBatch } from './partition/append-batch.ts';
import { PartitionLoader } from './partition/load-partition.ts';
import { PartitionState } from './partition/partition-state.ts';
import { Snapshotter } from './partition/snapshotter.ts';
import { type Answer, type WaitingCommand, WaitingList } from './partition/waiting-list.ts';

export type PartitionOwnerDeps = {
  log: EventLog;
  codec: Codec;
  ids: Ids;
  logger: Logger;
  metrics: CommandMetrics;
  /** Told of every append before its commands are; null where nobody wants to know. */
  written: WrittenPositions | null;
  /** Where the next owner finds the state; null where there is no such place, and every owner reads the whole log. */
  snapshots: SnapshotStore | null;
  /** Events after which the snapshot is written anew. */
  eventsPerSnapshot?: number;
  time: Time;
};

/** Granularity of the deadline: one timer for all commands of the partition, which runs only while some wait. */
const TICK_MS = 50;
const FIRST_PAUSE_MS = 20;
const MAX_PAUSE_MS = 1_000;
const NEVER = new AbortController().signal;

export class PartitionOwner {
  readonly #deps: PartitionOwnerDeps;
  readonly #loader: PartitionLoader;
  /** Empty until it is loaded. */
  #state: PartitionState;
  #snapshotter: Snapshotter | null = null;
  readonly #waiting: WaitingList<WaitingCommand>;
  readonly #stopping = new AbortController();
  readonly #loaded = Promise.withResolvers<void>();
  readonly #drained = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #wake: (() => void) | null = null;
  #stopTicker: (() => void) | undefined;
  /** By time.now(): since when the log has not answered; null while it does. */
  #failingSince: number | null = null;
  #faultsInRow = 0;
  #isRunning = false;
  #isLoaded = false;
  /** Stopped while the state was not known to be complete: nothing may be appended any more. */
  #hasGivenUp = false;
  /** Mistakes of what runs beside the decisions, which end them too. */
  readonly #bugs: unknown[] = [];

  constructor(partition: number, deps: PartitionOwnerDeps) {
    const logger = deps.logger.child({ component: 'partition-owner', partition });
    this.#deps = { ...deps, logger };
    this.#waiting = new WaitingList((answer) => deps.metrics.answered(answer));
    const { log, codec, snapshots, time } = deps;
    const onBroken = (stream: string, reason: string) => {
      deps.metrics.streamBroke();
      logger.error({ stream, reason }, 'a stream cannot be read: its commands are refused');
    };
    const { signal } = this.#stopping;
    this.#loader = new PartitionLoader({ log, codec, snapshots, partition, onBroken, logger, time, signal });
    this.#state = new PartitionState({ log, codec, partition, onBroken });
    // Reported by run(), to whoever called it.
    this.#loaded.promise.catch(() => undefined);
  }

  /** Commands that wait for a decision. */
  get queueLength(): number {
    return this.#waiting.untaken;
  }

  get brokenStreams(): ReadonlySet<string> {
    return this.#state.brokenStreams;
  }

  /** Whether the log has not answered for so long that commands are refused without waiting. */
  get isFailing(): boolean {
    return this.#failingSince !== null && this.#deps.time.now() - this.#failingSince >= LIMITS.commandMs;
  }

  /** As CommandPort.execute, for commands of this partition's rooms. */
  execute(command: Command): Promise<Answer> {
    const refusal = this.#refuseAtOnce(command);
    if (refusal) {
      this.#deps.metrics.answered(refusal);
      return Promise.resolve(refusal);
    }
    return new Promise((resolve) => {
      const stream = streamOfRoom(command.body.roomId);
      this.#waiting.push({ command, stream, cameAt: this.#deps.time.now(), resolve, decisions: 0, isAnswered: false });
      this.#startTicker();
      this.#wake?.();
    });
  }

  /** Whether the partition is read, so that commands are decided as they come. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Resolves when the partition is read and commands are decided, or when owning it has ended. Rejects with what run() does. */
  loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  /**
   * Reads the partition, then decides; commands that come meanwhile wait. Resolves after stop(). Rejects on what owning cannot
   * survive: a log that lost records (OffsetOutOfRangeError), or a bug. Either way every command still waiting is told
   * log_unavailable.
   */
  async run(): Promise<void> {
    this.#isRunning = true;
    try {
      await this.#recover(() => this.#load());
      this.#isLoaded = !this.#hasGivenUp;
      this.#loaded.resolve();
      await this.#decideUntilStopped();
      // For the next owner. Nobody waits for an answer any more.
      if (!this.#hasGivenUp) await this.#snapshotter?.catchUp();
    } catch (error) {
      this.#loaded.reject(error);
      throw error;
    } finally {
      this.#isRunning = false;
      this.#snapshotter?.end();
      this.#answerUntil(Number.POSITIVE_INFINITY);
      this.#stopTicker?.();
      this.#drained.resolve();
      this.#ended.resolve();
    }
  }

  /**
   * Brings the snapshot up to date while commands are decided as before, so that little is left to be done when the partition is
   * handed over. Resolves after some seconds at most, also where it could not be done.
   */
  async snapshot(): Promise<void> {
    await this.#snapshotter?.catchUp();
  }

  /**
   * Takes no more commands, brings those that wait to an end (within LIMITS.commandMs) and the snapshot up to date (within a few
   * seconds), and resolves when run() has ended.
   */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake?.();
    if (!this.#isRunning || this.#waiting.isEmpty) this.#drained.resolve();
    if (this.#isRunning) await this.#ended.promise;
  }

  /** Resolves after stop(), as soon as every command that was taken has been told something. */
  drained(): Promise<void> {
    return this.#drained.promise;
  }

  async #load(): Promise<void> {
    const { snapshots: store, metrics, logger, time, ids, eventsPerSnapshot } = this.#deps;
    const began = time.now();
    const { state, snapshot, highestSet } = await this.#loader.load();
    const tookMs = Math.round(time.now() - began);
    const markedEvents = snapshot?.events ?? 0;
    const events = state.events - markedEvents;
    this.#state = state;
    // Readers know from then on how far behind they are, also where nobody writes.
    if (state.nextOffset > 0) this.#deps.written?.note(state.partition, state.nextOffset - 1);
    metrics.loaded(snapshot === null ? 'log' : 'snapshot', tookMs / 1_000, events);
    logger.info({ fromSnapshot: snapshot, events, rooms: state.rooms.size, tookMs }, 'the partition is read');
    if (store === null) return;
    const everyEvents = eventsPerSnapshot ?? LIMITS.eventsPerSnapshot;
    const onBug = (error: unknown) => {
      this.#bugs.push(error);
      this.#wake?.();
    };
    const deps = { store, state, ids, logger, metrics, time, everyEvents, onBug };
    this.#snapshotter = new Snapshotter(deps, { markedEvents, highestSet });
  }

  async #decideUntilStopped(): Promise<void> {
    while (!this.#hasGivenUp) {
      for (const bug of this.#bugs) throw bug;
      this.#snapshotter?.noteFolded();
      if (this.#waiting.untaken > 0) {
        // What other sockets have to say in this turn of the event loop shall come along.
        await this.#deps.time.nextTurn();
        await this.#appendWaiting();
      } else if (this.#isStopping()) break;
      else await this.#sleep();
    }
  }

  #refuseAtOnce(command: Command): Rejection | null {
    if (this.#isStopping() || !this.#isRunning) return reject('unavailable');
    const refusal = checkCommand(command);
    if (refusal) return refusal;
    if (this.isFailing) return reject('log_unavailable');
    return this.#waiting.untaken >= LIMITS.commandsPerPartition ? reject('busy') : null;
  }

  async #appendWaiting(): Promise<void> {
    const batch = this.#decideBatch();
    const expectedOffset = this.#state.nextOffset;
    try {
      const head = await this.#confirm(batch, expectedOffset);
      this.#faultsInRow = 0;
      if (head === expectedOffset) {
        this.#state.foldAppended(batch.events);
        this.#answer(batch, expectedOffset);
      } else {
        this.#deps.metrics.conflicted();
        await this.#recover(() => this.#state.readTo(head));
      }
    } catch (error) {
      if (!isRetryable(error)) throw error;
      this.#deps.logger.warn({ err: error }, 'an append failed');
      this.#faultsInRow++;
      if (error instanceof OutcomeUnknownError) await this.#settle(batch, expectedOffset);
      else await this.#recover(() => this.#readToHead());
    }
  }

  /**
   * Appends the batch, or asks for the head where there is nothing to append. What it gives back is the offset it was decided
   * for when nothing was missing, else how far to read: then nothing of the batch counts.
   */
  async #confirm(batch: AppendBatch, expectedOffset: number): Promise<number> {
    const { log, metrics } = this.#deps;
    const { partition } = this.#state;
    if (batch.isEmpty) return expectedOffset;
    // A head below what is folded already is a new leader's that has not caught up with itself: nothing is missing.
    if (batch.records.length === 0) return Math.max(expectedOffset, await log.head(partition));
    const stopTimer = metrics.startAppend(batch.records.length);
    const result = await log.append(partition, expectedOffset, batch.records);
    stopTimer();
    if (result.kind === 'conflict') {
      assert.ok(result.head > expectedOffset, 'the log has lost records that were folded');
      return result.head;
    }
    assert.equal(result.firstOffset, expectedOffset);
    return expectedOffset;
  }

  #decideBatch(): AppendBatch {
    const batch = new AppendBatch({ state: this.#state, codec: this.#deps.codec, ids: this.#deps.ids });
    while (!batch.isFull) {
      const waiting = this.#waiting.take();
      if (!waiting) break;
      if (++waiting.decisions > LIMITS.decisionsPerCommand) {
        this.#waiting.answer(waiting, reject('log_unavailable'));
        continue;
      }
      const answer = batch.add(waiting);
      if (answer) this.#waiting.answer(waiting, answer);
    }
    return batch;
  }

  #answer(batch: AppendBatch, firstOffset: number): void {
    const { length } = batch.records;
    if (length > 0) this.#deps.written?.note(this.#state.partition, firstOffset + length - 1);
    for (const { waiting, answer } of batch.answersAt(firstOffset)) this.#waiting.answer(waiting, answer);
    this.#waiting.dropAnswered();
    this.#noteDrained();
  }

  /** The time of all that came at or before that time is up. One that was never decided was certainly not done. */
  #answerUntil(time: number): void {
    this.#waiting.answerUntil(time, ({ decisions }) =>
      reject(decisions === 0 && this.#isStopping() ? 'partition_moving' : 'log_unavailable'),
    );
    this.#noteDrained();
  }

  #noteDrained(): void {
    if (this.#isStopping() && this.#waiting.isEmpty) this.#drained.resolve();
  }

  /** The append may have landed. The barrier makes it definite; reading up to it tells which, and what else was written. */
  async #settle(batch: AppendBatch, expectedOffset: number): Promise<void> {
    const { log, metrics, logger } = this.#deps;
    const { partition } = this.#state;
    let hasLanded = false;
    await this.#recover(async () => {
      const barrier = await log.barrier(partition);
      await this.#state.readTo(barrier, (event) => {
        hasLanded ||= batch.beginsWith(event);
      });
      this.#state.skipTo(barrier + 1);
      metrics.settled(hasLanded);
      logger.warn({ hasLanded, barrier }, 'an append of unknown outcome is settled');
      if (hasLanded) this.#answer(batch, expectedOffset);
    });
  }

  async #readToHead(): Promise<void> {
    await this.#state.readTo(await this.#deps.log.head(this.#state.partition));
  }

  /**
   * Does the step until it succeeds, with growing pauses; then what has no answer is decided again. Meanwhile the ticker answers
   * who has waited too long. After stop() it gives up as soon as nobody waits any more, and at once where nothing was decided yet.
   */
  async #recover(step: () => Promise<void>): Promise<void> {
    for (let attempt = 0; !this.#isStopping() || (this.#isLoaded && !this.#waiting.isEmpty); attempt++) {
      const pauses = attempt + Math.max(0, this.#faultsInRow - 1);
      const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(pauses, 10), MAX_PAUSE_MS);
      // A pause that stop() ends would be none in every further round.
      if (pauses > 0) await this.#deps.time.pause(pauseMs, this.#isStopping() ? NEVER : this.#stopping.signal);
      try {
        await step();
        this.#failingSince = null;
        this.#waiting.rewind();
        return;
      } catch (error) {
        if (!isRetryable(error)) throw error;
        this.#failingSince ??= this.#deps.time.now();
        this.#startTicker();
        if (attempt === 0) this.#deps.logger.warn({ err: error }, 'the log cannot be reached: trying again');
      }
    }
    this.#hasGivenUp = true;
  }

  #sleep(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = null;
        resolve();
      };
    });
  }

  #startTicker(): void {
    const { time } = this.#deps;
    this.#stopTicker ??= time.every(TICK_MS, () => {
      this.#answerUntil(time.now() - LIMITS.commandMs);
      if (!this.#waiting.isEmpty || this.#failingSince !== null) return;
      this.#stopTicker?.();
      this.#stopTicker = undefined;
    });
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }
}
