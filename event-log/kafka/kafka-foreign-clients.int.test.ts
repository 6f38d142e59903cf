// The topic is open to other programs: what they write must not count unless it follows the rule, and what we write must be
// readable by them. kafkajs' own public producer and consumer are the other programs here.
import assert from 'node:assert/strict';
import kafkajs, { type IHeaders, type KafkaMessage } from 'kafkajs';
import { describe, it } from 'mocha';
import { type KafkaHarness, openKafkaHarness } from '../../tests/support/kafka-harness.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { mustAppend, readAll, record, textsOf, until } from '../contract/log-probe.ts';
import type { EventLog, InspectedRecord } from '../event-log.ts';

function foreignKafka() {
  return new kafkajs.Kafka({
    brokers: stackEnv.kafkaBrokers(),
    clientId: 'foreign',
    logLevel: kafkajs.logLevel.NOTHING,
  });
}

async function onTopic(run: (harness: KafkaHarness) => Promise<void>): Promise<void> {
  const harness = await openKafkaHarness(1);
  try {
    await run(harness);
  } finally {
    await harness.close();
  }
}

async function inspectFirst(log: EventLog): Promise<InspectedRecord | undefined> {
  for await (const { records } of log.inspect(0, 0, 1)) return records[0];
  return undefined;
}

type ForeignRecord = { key: string | null; value: string | null; headers?: IHeaders };

async function writeForeign(topic: string, messages: ForeignRecord[], compression = 0): Promise<void> {
  const producer = foreignKafka().producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, compression, messages: messages.map((message) => ({ ...message, partition: 0 })) });
  await producer.disconnect();
}

async function readForeign(topic: string, count: number): Promise<KafkaMessage[]> {
  const consumer = foreignKafka().consumer({ groupId: `foreign-${topic}`, maxWaitTimeInMs: 100 });
  const messages: KafkaMessage[] = [];
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ message }) => {
      messages.push(message);
    },
  });
  await until('the foreign consumer has read all', () => messages.length >= count, 15_000);
  await consumer.disconnect();
  return messages;
}

describe('foreign clients on the topic', () => {
  const voidHeaders: [string, IHeaders | undefined][] = [
    ['no header', undefined],
    ['another header', { 'predicted-offsets': '0' }],
    ['an empty prediction', { 'predicted-offset': '' }],
    ['a prediction that is no number', { 'predicted-offset': 'zero' }],
    ['a negative prediction', { 'predicted-offset': '-1' }],
    ['a prediction with a sign', { 'predicted-offset': '+0' }],
    ['a prediction with leading zeros', { 'predicted-offset': '00' }],
    ['a prediction with a fraction', { 'predicted-offset': '0.0' }],
    ['a prediction beyond all offsets', { 'predicted-offset': '99999999999999999999' }],
    ['a wrong prediction', { 'predicted-offset': '1' }],
    ['two predictions, both right', { 'predicted-offset': ['0', '0'] }],
    ['two predictions, one of them right', { 'predicted-offset': ['7', '0'] }],
  ];
  it('what does not state its own offset exactly once, in plain digits, is void', async () => {
    for (const [name, headers] of voidHeaders) {
      await onTopic(async ({ topic, log }) => {
        await writeForeign(topic, [{ key: 'room-1', value: name, ...(headers && { headers }) }]);
        assert.equal(await log.head(0), 1);
        assert.deepEqual(await readAll(log, 0, 0), [], name);
        const predicted = [headers?.['predicted-offset'] ?? []].flat().map(String);
        assert.partialDeepStrictEqual(await inspectFirst(log), { is: 'void', key: 'room-1', predicted }, name);
        await mustAppend(log, 0, 1, ['ours']);
        assert.deepEqual(textsOf(await readAll(log, 0, 0)), ['ours']);
      });
    }
  }).timeout(60_000);

  it('what has no key or no value is void, whatever it states', async () => {
    await onTopic(async ({ topic, log }) => {
      await writeForeign(topic, [
        { key: null, value: 'no key', headers: { 'predicted-offset': '0' } },
        { key: 'room-1', value: null, headers: { 'predicted-offset': '1' } },
      ]);
      assert.deepEqual(await readAll(log, 0, 0), []);
      assert.partialDeepStrictEqual(await inspectFirst(log), { is: 'void', key: null, predicted: ['0'] });
    });
  });

  it('what follows the rule counts, also when it was sent compressed and beside other headers', async () => {
    await onTopic(async ({ topic, log }) => {
      const headers = (offset: number) => ({ trace: 'x', 'predicted-offset': String(offset), after: 'y' });
      const messages = [0, 1, 2].map((offset) => ({
        key: 'room-1',
        value: `foreign ${offset}`,
        headers: headers(offset),
      }));
      await writeForeign(topic, messages, kafkajs.CompressionTypes.GZIP);
      assert.deepEqual(textsOf(await readAll(log, 0, 0)), ['foreign 0', 'foreign 1', 'foreign 2']);
    });
  });

  it('what we write is read by a foreign consumer, with key, value, time and the header that tells what counts', async () => {
    await onTopic(async ({ topic, log, openAnother }) => {
      await mustAppend(log, 0, 0, ['one', 'two']);
      await (await openAnother()).append(0, 0, [record('void')]);
      const barrier = await log.barrier(0);
      await mustAppend(log, 0, barrier + 1, ['three — ✓']);
      const messages = await readForeign(topic, barrier + 2);
      const counting = messages.filter(({ offset, headers }) => headers?.['predicted-offset']?.toString() === offset);
      const ours = await readAll(log, 0, 0);
      assert.deepEqual(
        counting.map(({ key, value, timestamp }) => [key?.toString(), value?.toString(), Number(timestamp)]),
        ours.map(({ key, value, appendedAt }) => [key, value.toString(), appendedAt]),
      );
      assert.equal(messages[barrier]?.value, null);
      assert.match(messages[barrier].headers?.barrier?.toString() ?? '', /^[0-9a-f-]{36}$/);
    });
  });
});
