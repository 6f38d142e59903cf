// The log as somebody reads it who knows only the rule of docs/decisions/0001-predicted-offsets.md. Nothing of the product's
// adapters is used: a fault that writer and reader have in common must not hide itself.
import { randomUUID } from 'node:crypto';
import kafkajs, { type Admin, type EachBatchPayload, type KafkaMessage } from 'kafkajs';
import pg from 'pg';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { createEventDecoder, type EventDecoder, listedSchemaOf, registrySchemaOf } from './event-decoder.ts';

export type LoggedEvent = { partition: number; offset: number; key: string; event: ChatEvent };
export type LogRead = {
  /** Every event that counts; those of a partition in order. */
  events: LoggedEvent[];
  /** What counts and is no event. */
  unreadable: { partition: number; offset: number; key: string; reason: string }[];
  /** The next offset of each partition. */
  heads: Map<number, number>;
};

export type LogPlace =
  | { kind: 'kafka'; brokers: string[]; registryUrl: string; topic: string; partitions: number }
  | { kind: 'postgres'; url: string; schema: string };

/** Reads all there is at the moment of the call. Throws where the log cannot be read to its end, or has lost offsets. */
export async function readLog(place: LogPlace): Promise<LogRead> {
  return place.kind === 'kafka' ? readKafkaLog(place) : readPostgresLog(place.url, place.schema);
}

/** Milliseconds without a batch after which reading is given up. The broker may wait for some seconds before a group starts. */
const STALLED_MS = 30_000;
const ROWS_AT_ONCE = 5_000;
const MAX_GROUPS = 20;

type RawRecord = { partition: number; offset: number; key: string; value: Buffer };

async function readKafkaLog(place: Extract<LogPlace, { kind: 'kafka' }>): Promise<LogRead> {
  const { topic, brokers } = place;
  const kafka = new kafkajs.Kafka({ clientId: 'roomlog-check', brokers, logLevel: kafkajs.logLevel.NOTHING });
  const admin = kafka.admin({ retry: { retries: 2 } });
  await admin.connect();
  try {
    const offsets = await admin.fetchTopicOffsets(topic);
    if (offsets.length !== place.partitions) throw new Error(`${topic} has ${offsets.length} partitions`);
    const read: LogRead = {
      events: [],
      unreadable: [],
      heads: new Map(offsets.map(({ partition, high }) => [partition, Number(high)])),
    };
    const groupId = await servedGroup(admin);
    const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 500 });
    try {
      await consumer.connect();
      await consumer.subscribe({ topic, fromBeginning: true });
      await consumeToHeads(consumer, read, createEventDecoder(registrySchemaOf(place.registryUrl)));
    } finally {
      await consumer.disconnect();
      await admin.deleteGroups([groupId]).catch(() => undefined); // Where it was never joined there is none.
    }
    return read;
  } finally {
    await admin.disconnect();
  }
}

/** A group that nobody has. A broker whose disk was full may refuse for good those that it keeps in one partition; it has four. */
async function servedGroup(admin: Admin): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const groupId = `roomlog-check-${randomUUID()}`;
    try {
      await admin.describeGroups([groupId]);
      return groupId;
    } catch (error) {
      if (tries === MAX_GROUPS) throw new Error('Kafka serves no group to read with', { cause: error });
    }
  }
}

async function consumeToHeads(consumer: kafkajs.Consumer, read: LogRead, decode: EventDecoder): Promise<void> {
  const next = new Map([...read.heads.keys()].map((partition) => [partition, 0]));
  const isThrough = () => [...read.heads].every(([partition, head]) => (next.get(partition) ?? 0) >= head);
  if (isThrough()) return;
  const through = Promise.withResolvers<void>();
  const stalled = setTimeout(() => through.reject(new Error('the topic cannot be read to its end')), STALLED_MS);
  const take = async ({ batch: { partition, messages } }: EachBatchPayload) => {
    for (const message of messages) {
      const offset = Number(message.offset);
      const due = next.get(partition) ?? 0;
      // A group that starts anew, starts from the beginning.
      if (offset < due || offset >= (read.heads.get(partition) ?? 0)) continue;
      if (offset > due) throw new Error(`partition ${partition} has lost offset ${due}`);
      next.set(partition, offset + 1);
      const { key, value } = message;
      if (key === null || value === null || !hasLandedAsPredicted(message)) continue;
      await addRecord(read, decode, { partition, offset, key: key.toString(), value });
    }
    stalled.refresh();
    if (isThrough()) through.resolve();
  };
  try {
    // Told here, because kafkajs tries a batch again that its handler threw at.
    const eachBatch = (payload: EachBatchPayload) => take(payload).catch(through.reject);
    await consumer.run({ autoCommit: false, eachBatch });
    await through.promise;
  } finally {
    clearTimeout(stalled);
  }
}

/** THE RULE: a record counts only where its header names the offset that it has; and it has a key and a value. */
function hasLandedAsPredicted({ headers, offset }: KafkaMessage): boolean {
  return headers?.['predicted-offset']?.toString() === offset;
}

async function readPostgresLog(url: string, schema: string): Promise<LogRead> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  const table = (name: string) => `${pg.escapeIdentifier(schema)}.${name}`;
  const decode = createEventDecoder(listedSchemaOf());
  await client.connect();
  try {
    const { rows } = await client.query<{ partition: number; next_offset: string }>(
      `select partition, next_offset from ${table('partitions')} order by partition`,
    );
    const heads = new Map(rows.map(({ partition, next_offset }) => [partition, Number(next_offset)]));
    const read: LogRead = { events: [], unreadable: [], heads };
    for (const [partition, head] of heads) {
      for (let from = 0; from < head; from += ROWS_AT_ONCE) {
        const to = Math.min(head, from + ROWS_AT_ONCE);
        const found = await client.query<{ offset: string; key: string; value: Buffer | null }>(
          `select "offset", key, value from ${table('records')}
            where partition = $1 and "offset" >= $2 and "offset" < $3 order by "offset"`,
          [partition, from, to],
        );
        if (found.rows.length !== to - from) throw new Error(`partition ${partition} has lost offsets after ${from}`);
        for (const { offset, key, value } of found.rows) {
          // Without a value it is a barrier.
          if (value !== null) await addRecord(read, decode, { partition, offset: Number(offset), key, value });
        }
      }
    }
    return read;
  } finally {
    await client.end();
  }
}

async function addRecord(read: LogRead, decode: EventDecoder, { value, ...place }: RawRecord): Promise<void> {
  try {
    read.events.push({ ...place, event: await decode(value) });
  } catch (error) {
    read.unreadable.push({ ...place, reason: error instanceof Error ? error.message : String(error) });
  }
}
