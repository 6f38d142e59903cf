// THE PORT: an append-only log in partitions, kept for ever. Two adapters stand behind it (kafka/, postgres/) and one contract
// suite (event-log-contract.ts) says what both must do. Offsets are numbers: safe integers, asserted at the adapters' borders
// (2^53 offsets last 2,800 years at 100,000 records a second).

/** A record to append. The key is the stream id, the value the event in Confluent wire format. */
export type NewRecord = { key: string; value: Buffer };

/** A record that counts: void records and barriers are never handed out. `appendedAt` is milliseconds since 1970 UTC. */
export type LogRecord = { offset: number; key: string; value: Buffer; appendedAt: number };

/**
 * Records of one partition in order. `nextOffset` is where reading goes on: it may lie behind the last record because void
 * records and barriers are skipped, and a batch may be empty for the same reason. `head` is the partition's next offset to be
 * written as far as the reader knew, for telling how far behind it is.
 */
export type LogBatch = BatchOf<LogRecord>;
export type BatchOf<Kept> = { partition: number; records: readonly Kept[]; nextOffset: number; head: number };

/**
 * A record as it lies in the log, for tools that look at the log itself. `event`: it counts. `void`: it does not, because it was not
 * written where it was meant to be; `predicted` has the offsets that it names, as they stand there (a text of somebody else's may be
 * no number), none where it names none. `barrier`: what `barrier` wrote. A key or value is null where the record has none.
 */
export type InspectedRecord = { offset: number; key: string | null; value: Buffer | null; appendedAt: number } & (
  | { is: 'event' }
  | { is: 'void'; predicted: readonly string[] }
  | { is: 'barrier' }
);

/** As LogBatch, with what does not count too. */
export type InspectedBatch = BatchOf<InspectedRecord>;

export type AppendResult = { kind: 'appended'; firstOffset: number } | { kind: 'conflict'; head: number };

export type EventLog = {
  readonly partitions: number;

  /**
   * Appends all records at exactly `expectedOffset`, or none of them. `conflict` means somebody else wrote there: none of the
   * records counts, now or ever; read up to `head` and decide again. At most one append per partition may be in flight.
   * Throws OutcomeUnknownError when no definite answer came in time: the records may or may not be there; call `barrier`.
   */
  append(partition: number, expectedOffset: number, records: readonly NewRecord[]): Promise<AppendResult>;

  /**
   * Writes a barrier and returns its offset: whatever was not in the log below it when it was written can never become valid
   * after it. So reading up to it settles every earlier append whose outcome was unknown. Throws LogUnavailableError.
   */
  barrier(partition: number): Promise<number>;

  /** The next offset to be written. Throws LogUnavailableError. */
  head(partition: number): Promise<number>;

  /** The first offset whose record was appended at or after that time (milliseconds), else the head. */
  offsetAt(partition: number, timeMs: number): Promise<number>;

  /** All that counts in [from, to), then ends. Throws OffsetOutOfRangeError (fatal) or LogUnavailableError. */
  read(partition: number, from: number, to: number): AsyncIterable<LogBatch>;

  /**
   * Everything that lies in [from, to), what does not count too, then ends: for people who look at the log. Who acts on events calls
   * `read`. Throws OffsetOutOfRangeError (fatal) or LogUnavailableError.
   */
  inspect(partition: number, from: number, to: number): AsyncIterable<InspectedBatch>;

  /**
   * Follows partitions, each from its own offset, for ever: those of `from`, possibly none, and later ones that are added. `handle`
   * gets the batches of one partition in order and one at a time, of different partitions possibly interleaved; at most one more
   * batch of that partition is fetched meanwhile.
   */
  follow(options: FollowOptions): LogFollower;

  close(): Promise<void>;
};

export type FollowOptions = {
  from: ReadonlyMap<number, number>;
  handle: (batch: LogBatch) => Promise<void> | void;
  /**
   * Milliseconds a follower that has reached the head rests before it looks again, so that what comes meanwhile is fetched
   * together; 0 where left out. It is only for saving work: a follower may rest shorter, and one that is behind does not rest.
   */
  restMs?: number;
};

/**
 * run() resolves after stop(), and rejects on what following cannot survive: OffsetOutOfRangeError, or an error thrown by
 * `handle`. A log that cannot be reached is no such thing: it is tried again for ever, with backoff of at most 1 s.
 */
export type LogFollower = {
  run(): Promise<void>;
  stop(): Promise<void>;

  /**
   * Follows one more partition from that offset, at once: it waits neither for others that are idle nor for their handlers. Before
   * run() it is followed from the beginning; after the end it has no effect. To add one that is followed already, or whose
   * removal has not resolved, is a bug.
   */
  add(partition: number, from: number): void;

  /**
   * Stops following one partition; the others do not notice. No further batch of it is begun, and the promise resolves when the one
   * in hand is handled, so `handle` itself must not wait for it. To remove one that is not followed is a bug; after the end it has
   * no effect.
   */
  remove(partition: number): Promise<void>;
};

/** The append got no definite answer. Nothing may be told to anybody until `barrier` and a read have settled it. */
export class OutcomeUnknownError extends Error {
  override readonly name = 'OutcomeUnknownError';
  readonly code = 'outcome_unknown';
  readonly retryable = true;
}

/** The log cannot be reached, and nothing was written. */
export class LogUnavailableError extends Error {
  override readonly name = 'LogUnavailableError';
  readonly code = 'log_unavailable';
  readonly retryable = true;
}

/** The offset asked for is not in the log: below its start (somebody deleted records) or beyond its head. Fatal: never reset. */
export class OffsetOutOfRangeError extends Error {
  override readonly name = 'OffsetOutOfRangeError';
  readonly code = 'offset_out_of_range';
  readonly retryable = false;
}

/** The log exists with settings under which its guarantees do not hold. The message lists every one that is wrong. */
export class LogSettingsError extends Error {
  override readonly name = 'LogSettingsError';
  readonly code = 'log_settings';
  readonly retryable = false;
}
