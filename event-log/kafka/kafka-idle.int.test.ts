import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, it } from 'mocha';
import { openKafkaHarness } from '../../tests/support/kafka-harness.ts';

const IDLE_PROCESS = fileURLToPath(new URL('../../tests/support/idle-kafka-process.ts', import.meta.url));
const MEASURED_MS = 3_000;

describe('an idle Kafka event log', () => {
  it('GUARD timer of 1 ms per idle connection: uses less than 1 % of a processor, follower included', async () => {
    const harness = await openKafkaHarness(8);
    try {
      // A process of its own, because what else this one does would be measured with it.
      const { stdout } = await promisify(execFile)(process.execPath, [
        IDLE_PROCESS,
        harness.topic,
        '8',
        String(MEASURED_MS),
      ]);
      const usedMs = Number(stdout);
      assert.ok(usedMs > 0 && usedMs < MEASURED_MS / 100, `${usedMs} ms of ${MEASURED_MS} ms`);
    } finally {
      await harness.close();
    }
  });
});
