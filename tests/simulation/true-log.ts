// WHAT REALLY STANDS IN THE LOG. It sees every batch at the moment the broker writes it, and applies the rule of
// docs/decisions/0001-predicted-offsets.md in code of its own, so that a mistake in the product's is no mistake of the judge's.
import { evolve, initialState, type RoomState } from '../../commands/chatroom/state.ts';
import { ByteReader } from '../../event-log/kafka/byte-reader.ts';
import { subjectOf } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { testCodec } from '../support/write-side.ts';
import type { StoredBatch } from './simulated-broker.ts';

type RawRecord = { offset: number; key: string | null; value: Buffer | null; headers: [string, string][] };
export type TrueRecord = { offset: number; key: string; value: Buffer; event: ChatEvent };
type Moment = { offset: number; state: RoomState };

export class TrueLog {
  /** What counts, in order. */
  readonly records: TrueRecord[] = [];
  readonly #fail: (what: string) => void;
  /** By stream, its state after each of its events. */
  readonly #moments = new Map<string, Moment[]>();
  readonly #byCommand = new Map<string, TrueRecord>();
  #head = 0;
  #voidRecords = 0;

  /** `fail` is told what a log must never hold, at the moment it does. */
  constructor(fail: (what: string) => void) {
    this.#fail = fail;
  }

  /** The next offset to be written. */
  get head(): number {
    return this.#head;
  }

  /** Records that were written and do not count, barriers among them. */
  get voidRecords(): number {
    return this.#voidRecords;
  }

  append({ bytes, nextOffset }: StoredBatch): void {
    for (const { offset, key, value, headers } of rawRecords(bytes)) {
      if (key === null || value === null || !isWherePredicted(offset, headers)) this.#voidRecords++;
      else this.#count({ offset, key, value, event: testCodec.decode(value) });
    }
    this.#head = nextOffset;
  }

  /** The stream's state, and where its last event lies (0: nowhere), for who has read everything below the offset. */
  stateAt(stream: string, offset: number): { state: RoomState; lastOffset: number } {
    const moment = this.#moments.get(stream)?.findLast((one) => one.offset < offset);
    return moment ? { state: moment.state, lastOffset: moment.offset } : { state: initialState, lastOffset: 0 };
  }

  /** The event that a user's command led to. */
  ofCommand(userId: string, commandId: string): TrueRecord | undefined {
    return this.#byCommand.get(`${userId} ${commandId}`);
  }

  #count(record: TrueRecord): void {
    const { offset, key, event } = record;
    const { metadata } = event;
    const { state } = this.stateAt(key, offset);
    if (metadata.version !== state.version + 1) {
      this.#fail(`at offset ${offset} version ${metadata.version} of ${key} follows on version ${state.version}`);
    }
    const command = `${subjectOf(metadata).userId} ${metadata.commandId}`;
    const first = this.#byCommand.get(command);
    if (first) this.#fail(`the command of ${command} was done twice, at the offsets ${first.offset} and ${offset}`);
    this.#byCommand.set(command, record);
    this.records.push(record);
    const moments = this.#moments.get(key) ?? [];
    moments.push({ offset, state: evolve(state, event) });
    this.#moments.set(key, moments);
  }
}

/** The rule: exactly one prediction, and the record lies there. */
function isWherePredicted(offset: number, headers: readonly [string, string][]): boolean {
  const predictions = headers.filter(([name]) => name === 'predicted-offset').map(([, value]) => value);
  return predictions.length === 1 && predictions[0] === String(offset);
}

const RECORDS_AT = 57;

function rawRecords(batch: Buffer): RawRecord[] {
  const baseOffset = Number(batch.readBigInt64BE(0));
  const reader = new ByteReader(batch, RECORDS_AT);
  return Array.from({ length: reader.int32() }, () => {
    reader.varint(); // size
    reader.skip(1);
    reader.varint(); // time
    const offset = baseOffset + reader.varint();
    const key = field(reader)?.toString() ?? null;
    const value = field(reader);
    const headers = Array.from({ length: reader.varint() }, (): [string, string] => [
      field(reader)?.toString() ?? '',
      field(reader)?.toString() ?? '',
    ]);
    return { offset, key, value, headers };
  });
}

function field(reader: ByteReader): Buffer | null {
  const length = reader.varint();
  if (length < 0) return null;
  reader.skip(length);
  return reader.bytes.subarray(reader.at - length, reader.at);
}
