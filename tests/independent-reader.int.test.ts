// What we write can be read by who has only the topic, the registry and one rule.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { openCodec } from '../event-log/codec/codec.ts';
import { registrySchemas } from '../event-log/codec/registry-schemas.ts';
import { runCommand } from '../platform/run-command.ts';
import type { ChatEvent } from '../schemas/generated/events.ts';
import { EVENT_NAMESPACE } from '../schemas/load.ts';
import { goldenEvents } from './support/golden-events.ts';
import { openKafkaHarness } from './support/kafka-harness.ts';
import { stackEnv } from './support/stack-env.ts';

const READER = fileURLToPath(new URL('support/read_topic.py', import.meta.url));

type Line = { partition: number; offset: number; key: string; type: string; event: object };

describe('an independent reader in Python', () => {
  it('decodes every event that counts, equal to what was written, and passes over void records and barriers', async () => {
    const harness = await openKafkaHarness(2);
    try {
      const { log, topic } = harness;
      const codec = await openCodec(registrySchemas({ url: stackEnv.schemaRegistryUrl(), topic }));
      const toRecord = (event: ChatEvent) => ({ key: event.metadata.stream, value: codec.encode(event) });
      const events = Object.values(goldenEvents);
      const starts = [await log.head(0), await log.head(1)];
      const written: { partition: number; offset: number; event: ChatEvent }[] = [];
      const append = async (partition: number, batch: ChatEvent[]) => {
        const head = await log.head(partition);
        assert.equal((await log.append(partition, head, batch.map(toRecord))).kind, 'appended');
        written.push(...batch.map((event, index) => ({ partition, offset: head + index, event })));
      };
      await append(0, events);
      const loser = await harness.openAnother();
      assert.equal((await loser.append(0, starts[0] ?? 0, events.slice(0, 2).map(toRecord))).kind, 'conflict');
      await log.barrier(0);
      await append(0, [goldenEvents.MessageSent]);
      await append(1, [...events].reverse());

      const lines = await readWithPython(topic);
      const found = [0, 1].flatMap((partition) => lines.filter((line) => line.partition === partition));
      assert.deepEqual(
        found,
        written.map(({ partition, offset, event: { type, ...event } }) => {
          return { partition, offset, key: event.metadata.stream, type: `${EVENT_NAMESPACE}.${type}`, event };
        }),
      );
      assert.ok((await log.head(0)) > (starts[0] ?? 0) + events.length + 1, 'there were records to pass over');
    } finally {
      await harness.close();
    }
  }).timeout(60_000);
});

async function readWithPython(topic: string): Promise<Line[]> {
  const folder = await mkdtemp(join(tmpdir(), 'roomlog-reader-'));
  try {
    const output = join(folder, 'events.jsonl');
    const args = [READER, stackEnv.kafkaBrokers().join(','), stackEnv.schemaRegistryUrl(), topic, output];
    await runCommand(stackEnv.python(), args, { timeoutMs: 50_000 });
    const lines = (await readFile(output, 'utf8')).trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line) as Line);
  } finally {
    await rm(folder, { recursive: true });
  }
}
