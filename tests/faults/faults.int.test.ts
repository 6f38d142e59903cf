// The short form of the fault suite. It takes everything that the machine has, so nothing runs beside it (ops/test.ts).
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'mocha';
import type { WayName } from './cluster/cluster.ts';
import { FAULT_KINDS } from './nemesis/nemesis.ts';
import { formatResult, isClean } from './report.ts';
import { runSuite } from './suite.ts';

const TIMEOUT_MS = 400_000;

describe('the fault suite', function () {
  this.timeout(TIMEOUT_MS);

  it('FLT-30 finds every promise kept on Kafka', () => runShort('kafka', 1.25));

  it('FLT-31 finds every promise kept by processes that share a PostgreSQL', () => runShort('postgres', 0.6));
});

async function runShort(way: WayName, minutes: number): Promise<void> {
  const seed = randomBytes(4).toString('hex');
  const runDir = join(tmpdir(), `roomlog-faults-${seed}`);
  const lines: string[] = [];
  const onProgress = (line: string): void => void lines.push(line);
  const { signal } = new AbortController();
  const again = `npm run test:faults -- --way ${way} --minutes ${minutes} --seed ${seed}; history and logs: ${runDir}`;
  try {
    const result = await runSuite({ way, minutes, seed, kinds: FAULT_KINDS, runDir, onProgress, signal });
    assert.ok(isClean(result), `${again}\n${lines.join('\n')}\n${formatResult(result)}`);
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    throw new Error(`${again}\n${lines.join('\n')}`, { cause: error });
  }
  await rm(runDir, { recursive: true });
}
