// Appends many records to a log that nobody else writes to: bounded batches, one append of a partition at a time, partitions beside
// each other. An append without a definite answer is settled as every writer of the log does it.
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type EventLog,
  type LogRecord,
  LogUnavailableError,
  type NewRecord,
  OutcomeUnknownError,
} from '../../../event-log/event-log.ts';
import { LIMITS } from '../../../schemas/limits.ts';
import { RefusedError } from '../exits.ts';

/** Records that gather while the ones before them are on their way. */
type Lane = { head: number; records: NewRecord[]; bytes: number; appending: Promise<void> };

/** Milliseconds between attempts, and how often one is made while the log is away. */
const RETRY_MS = 500;
const MAX_ATTEMPTS = 20;

export class LogFiller {
  readonly #log: EventLog;
  #lanes: Lane[] = [];
  #written = 0;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** Records that the log has confirmed. */
  get written(): number {
    return this.#written;
  }

  /** Notes the heads: from here on nobody else may write. */
  async begin(): Promise<void> {
    const heads = Array.from({ length: this.#log.partitions }, (_, partition) => this.#log.head(partition));
    this.#lanes = (await Promise.all(heads)).map((head) => ({
      head,
      records: [],
      bytes: 0,
      appending: Promise.resolve(),
    }));
  }

  /**
   * Waits while as much as one append takes has gathered and the append before it is still on its way. Throws RefusedError where
   * somebody else writes, and LogUnavailableError where the log stays away.
   */
  async add(partition: number, record: NewRecord): Promise<void> {
    const lane = this.#lane(partition);
    const isFull =
      lane.records.length >= LIMITS.commandsPerAppend || lane.bytes + record.value.length > LIMITS.appendBytes;
    if (isFull && lane.records.length > 0) await this.#flush(partition, lane);
    lane.records.push(record);
    lane.bytes += record.value.length;
  }

  /** Appends what is left. Throws as `add`. */
  async end(): Promise<void> {
    for (const [partition, lane] of this.#lanes.entries())
      if (lane.records.length > 0) await this.#flush(partition, lane);
    await Promise.all(this.#lanes.map(({ appending }) => appending));
  }

  /** Resolves when nothing is on its way any more, whatever became of it. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#lanes.map(({ appending }) => appending));
  }

  /** Sends what has gathered as soon as the append before it has its answer. */
  async #flush(partition: number, lane: Lane): Promise<void> {
    await lane.appending;
    const records = lane.records.splice(0);
    lane.bytes = 0;
    lane.appending = this.#append(partition, lane, records);
    // Who waits for the lane next is told; until then it must not count as unhandled.
    lane.appending.catch(() => undefined);
  }

  async #append(partition: number, lane: Lane, records: readonly NewRecord[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const result = await this.#log.append(partition, lane.head, records);
        if (result.kind === 'conflict') throw conflict(partition, lane.head, result.head);
        lane.head += records.length;
        break;
      } catch (error) {
        const isPassing = error instanceof LogUnavailableError || error instanceof OutcomeUnknownError;
        if (!isPassing || attempt === MAX_ATTEMPTS) throw error;
        if (error instanceof OutcomeUnknownError && (await this.#isThere(partition, lane, records))) break;
        if (error instanceof LogUnavailableError) await sleep(RETRY_MS);
      }
    }
    this.#written += records.length;
  }

  /** Whether an append of unknown outcome came through; the lane's head is behind it, or behind the barrier, afterwards. */
  async #isThere(partition: number, lane: Lane, records: readonly NewRecord[]): Promise<boolean> {
    for (let attempt = 1; ; attempt++) {
      try {
        const barrier = await this.#log.barrier(partition);
        const found: LogRecord[] = [];
        for await (const batch of this.#log.read(partition, lane.head, barrier)) found.push(...batch.records);
        const isOurs = found.every(({ value }, index) => records[index]?.value.equals(value));
        if (!isOurs || (found.length > 0 && found.length !== records.length))
          throw conflict(partition, lane.head, barrier);
        lane.head = barrier + 1;
        return found.length > 0;
      } catch (error) {
        if (!(error instanceof LogUnavailableError) || attempt === MAX_ATTEMPTS) throw error;
        await sleep(RETRY_MS);
      }
    }
  }

  #lane(partition: number): Lane {
    const lane = this.#lanes[partition];
    if (lane === undefined) throw new RangeError(`the log has no partition ${partition}, or filling it has not begun`);
    return lane;
  }
}

function conflict(partition: number, expected: number, head: number): RefusedError {
  return new RefusedError(
    `somebody else writes to the log: partition ${partition} goes on at offset ${head}, not at ${expected}`,
  );
}
