import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, it } from 'mocha';
import { APPEND_PROTOCOL_BUGS } from '../support/planted-bugs/bugs.ts';
import { PROJECT_ROOT } from '../support/sources.ts';
import type { SeedResult } from './run-simulation.ts';

const PLANT = join(PROJECT_ROOT, 'tests/support/planted-bugs/plant.ts');
const RUN_SIMULATION = join(PROJECT_ROOT, 'tests/simulation/run-simulation.ts');
const SEEDS = 20;
/** Most bugs take fewer than ten, and none has taken more than 100. */
const RUNS = 500;

describe('the simulation finds', () => {
  for (const { name, why } of APPEND_PROTOCOL_BUGS) {
    it(`SIM-22 ${name}: ${why}, with each of ${SEEDS} seeds in ${RUNS} runs`, async () => {
      const results = await runPlanted(name, RUNS);
      assert.equal(results.length, SEEDS);
      assert.deepEqual(
        results.filter(({ found }) => found === null),
        [],
      );
    }).timeout(300_000);
  }

  it('SIM-23 nothing where no bug is planted', async () => {
    const results = await runPlanted('', 20);
    assert.deepEqual(
      results.map(({ found, runs }) => ({ found, runs })),
      Array.from({ length: SEEDS }, () => ({ found: null, runs: 20 })),
    );
  }).timeout(120_000);
});

/** The simulation in a process of its own that has that bug. */
async function runPlanted(bug: string, runs: number): Promise<SeedResult[]> {
  const options = ['--seed', '1', '--seeds', String(SEEDS), '--runs', String(runs)];
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', PLANT, RUN_SIMULATION, ...options], {
    env: { PLANTED_BUG: bug },
  });
  const lines = stdout.trim().split('\n');
  return lines.map((line) => JSON.parse(line) as SeedResult);
}
