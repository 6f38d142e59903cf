import assert from 'node:assert/strict';
import fc from 'fast-check';
import { after, before, describe, it } from 'mocha';
import type { LogBatch } from '../../event-log/event-log.ts';
import { type KafkaConnection, KafkaConnections } from '../../event-log/kafka/kafka-connections.ts';
import { decodeFetched } from '../../event-log/kafka/kafka-reader.ts';
import { encodeAppend, encodeBarrier } from '../../event-log/kafka/record-batch.ts';
import * as requests from '../../event-log/kafka/requests.ts';
import { type KafkaHarness, kafkaOptions, openKafkaHarness } from '../support/kafka-harness.ts';
import { SimulatedBroker } from './simulated-broker.ts';

/** One request. Offsets are relative to the head, so that a sequence means the same wherever the log stands. */
type Ask =
  | { kind: 'append'; predictedAfterHead: number; texts: string[] }
  | { kind: 'barrier' }
  /** The same bytes as one of the last batches, once more. */
  | { kind: 'duplicate'; back: number }
  /** The bytes of one of the last batches, one of them changed. */
  | { kind: 'damaged'; back: number; at: number }
  | { kind: 'fetch'; back: number; maxBytes: number }
  | { kind: 'latest' }
  /** A time relative to that of one of the last batches. */
  | { kind: 'offsetAt'; back: number; laterMs: number }
  | { kind: 'longAgo' }
  | { kind: 'otherPartition'; of: 'produce' | 'fetch' | 'listOffsets' };

const SEQUENCES = 500;
const FETCH_MS = 1;

const back = fc.nat(8);
const ask: fc.Arbitrary<Ask> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('append'),
      predictedAfterHead: fc.constantFrom(0, 0, 0, -2, -1, 1, 5),
      texts: fc.array(fc.string({ maxLength: 60 }), { minLength: 1, maxLength: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Ask>({ kind: 'barrier' }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('duplicate'), back }) },
  // A byte of its records: of a batch's head a broker judges each byte in its own way.
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('damaged'), back, at: fc.integer({ min: 61, max: 80 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('fetch'),
      back: fc.integer({ min: -3, max: 20 }),
      maxBytes: fc.constantFrom(1, 100, 200, 400, 800, 1_000_000),
    }),
  },
  { weight: 2, arbitrary: fc.constant<Ask>({ kind: 'latest' }) },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('offsetAt'), back, laterMs: fc.constantFrom(-1, 0, 1, 1_000_000) }),
  },
  { weight: 1, arbitrary: fc.constant<Ask>({ kind: 'longAgo' }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('otherPartition'),
      of: fc.constantFrom('produce', 'fetch', 'listOffsets'),
    }),
  },
);

describe('the simulated broker', () => {
  let harness: KafkaHarness;
  let pair: BrokerPair;
  let connections: KafkaConnections;

  before(async () => {
    harness = await openKafkaHarness(1);
    const { brokers, topic, clientId } = kafkaOptions(harness.topic, 1);
    const times = { connectTimeoutMs: 5_000, requestTimeoutMs: 10_000 };
    connections = new KafkaConnections({ brokers, topic, clientId, ...times, route: (broker) => broker });
    pair = new BrokerPair(topic, await connections.toLeader(0));
  });

  after(async () => {
    connections.close();
    await harness.close();
  });

  it(`SIM-11 answers ${SEQUENCES} sequences of requests as a real one does`, async () => {
    const sequences = fc.array(ask, { minLength: 1, maxLength: 12 });
    // Not shrunk: the log that a sequence began with cannot be had again.
    await fc.assert(
      fc.asyncProperty(sequences, async (sequence) => {
        for (const one of sequence) await pair.compare(one);
      }),
      { numRuns: SEQUENCES, endOnFailure: true },
    );
    assert.deepEqual([...pair.seen].sort(), [
      '0 fetch',
      '0 listOffsets',
      '0 produce',
      '1 fetch',
      '2 produce',
      '3 fetch',
      '3 listOffsets',
      '3 produce',
    ]);
  }).timeout(120_000);
});

/** A real broker and a simulated one, whose logs are the same. */
class BrokerPair {
  /** Error codes that were met, with what was asked. */
  readonly seen = new Set<string>();
  readonly #topic: string;
  readonly #real: KafkaConnection;
  readonly #simulated: SimulatedBroker;
  /** As they were sent, and when the real broker appended them. */
  readonly #batches: { bytes: Buffer; appendedAt: number }[] = [];
  #now = 0;

  constructor(topic: string, real: KafkaConnection) {
    this.#topic = topic;
    this.#real = real;
    this.#simulated = new SimulatedBroker({ topic, now: () => this.#now });
  }

  async compare(one: Ask): Promise<void> {
    const { head } = this.#simulated;
    switch (one.kind) {
      case 'append': {
        const records = one.texts.map((text, index) => ({ key: `room-${index}`, value: Buffer.from(text) }));
        return await this.#produce(encodeAppend(records, Math.max(0, head + one.predictedAfterHead), Date.now()));
      }
      case 'barrier':
        return await this.#produce(encodeBarrier('never again', Date.now()));
      case 'duplicate':
        return await this.#produce(this.#batch(one.back).bytes);
      case 'damaged':
        return await this.#produce(damaged(this.#batch(one.back).bytes, one.at));
      case 'fetch':
        return await this.#fetch(Math.max(0, head - one.back), one.maxBytes);
      case 'latest':
        return await this.#listOffsets(requests.LATEST);
      case 'offsetAt':
        return await this.#listOffsets(this.#batch(one.back).appendedAt + one.laterMs);
      case 'longAgo':
        return await this.#listOffsets(0);
      case 'otherPartition':
        return await this.#askOther(one.of);
    }
  }

  async #produce(bytes: Buffer, partition = 0): Promise<void> {
    const request = requests.produceRequest(this.#topic, partition, bytes, 5_000);
    const real = await this.#real.send(request);
    // The simulated broker's clock is the real one's: its time is read from what was just written.
    if (real.errorCode === 0) {
      this.#now = await this.#appendedAt(real.baseOffset);
      this.#batches.push({ bytes, appendedAt: this.#now });
    }
    const { errorCode, baseOffset } = this.#ask(request);
    this.#same('produce', { errorCode, baseOffset }, real);
  }

  async #fetch(offset: number, maxPartitionBytes: number, partition = 0): Promise<void> {
    const limits = { maxWaitMs: FETCH_MS, maxBytes: 1_000_000, maxPartitionBytes };
    const request = requests.fetchRequest(this.#topic, [{ partition, offset }], limits);
    const [real, simulated] = [await this.#real.send(request), this.#ask(request)];
    this.#same('fetch', fetchedFields(simulated, offset), fetchedFields(real, offset));
  }

  async #listOffsets(time: number, partition = 0): Promise<void> {
    const request = requests.listOffsetsRequest(this.#topic, partition, time);
    const real = await this.#real.send(request);
    this.#same('listOffsets', this.#ask(request), real);
  }

  async #askOther(what: 'produce' | 'fetch' | 'listOffsets'): Promise<void> {
    if (what === 'produce') await this.#produce(encodeBarrier('nowhere', Date.now()), 1);
    else if (what === 'fetch') await this.#fetch(0, 100, 1);
    else await this.#listOffsets(requests.LATEST, 1);
  }

  #same<Fields extends { errorCode: number }>(what: string, simulated: Fields, real: Fields): void {
    assert.deepEqual(simulated, real);
    this.seen.add(`${real.errorCode} ${what}`);
  }

  #ask<Answer>(request: requests.KafkaRequest<Answer>): Answer {
    return request.decode(this.#simulated.handle(request.apiKey, request.encode())).answer;
  }

  async #appendedAt(offset: number): Promise<number> {
    const limits = { maxWaitMs: 1_000, maxBytes: 1, maxPartitionBytes: 1 };
    const [fetched] = await this.#real.send(requests.fetchRequest(this.#topic, [{ partition: 0, offset }], limits));
    assert.ok(fetched !== undefined && fetched.end > fetched.start, 'what was just written can be fetched');
    return Number(fetched.bytes.readBigInt64BE(fetched.start + MAX_TIME_AT));
  }

  #batch(backwards: number): { bytes: Buffer; appendedAt: number } {
    const first = { bytes: encodeBarrier('first', 0), appendedAt: 0 };
    return this.#batches.at(-1 - (backwards % Math.max(1, this.#batches.length))) ?? first;
  }
}

const MAX_TIME_AT = 35;

/** All that an answer says; the records as the product decodes them, too, and the bytes they lie in. */
function fetchedFields(fetched: requests.FetchedPartition[], from: number) {
  const [one] = fetched;
  assert.ok(one !== undefined && fetched.length === 1);
  const { partition, errorCode, head, bytes, start, end } = one;
  return { partition, errorCode, head, bytes: bytes.toString('hex', start, end), decoded: decodedOrName(one, from) };
}

function decodedOrName(fetched: requests.FetchedPartition, from: number): LogBatch | string {
  try {
    return decodeFetched(fetched, from);
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

function damaged(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 0x10, at);
  return copy;
}
