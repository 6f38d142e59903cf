import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { assertManyRuns } from './many-runs.ts';
import { LARGE, SMALL, scenarios } from './scenario.ts';
import { simulate } from './simulate.ts';

describe('the append protocol, simulated', () => {
  it('SIM-1 SIM-2 SIM-3 SIM-4 SIM-5 SIM-6 SIM-7 SIM-8 holds in 6,000 runs of small scenarios', async () => {
    await assertManyRuns(SMALL, 6_000);
  }).timeout(300_000);

  it('SIM-10 a seed says a run to the last step', async () => {
    const traces = await Promise.all([tracesOf(3), tracesOf(3)]);
    assert.ok(traces[0].flat().length > 10_000);
    assert.deepEqual(traces[0], traces[1]);
    assert.notDeepEqual(await tracesOf(4), traces[0]);
  });
});

/** Two simulations at once must not disturb each other either. */
async function tracesOf(seed: number): Promise<(readonly string[])[]> {
  const traces: (readonly string[])[] = [];
  const property = fc.asyncProperty(fc.oneof(scenarios(SMALL), scenarios(LARGE)), async (scenario) => {
    traces.push((await simulate(scenario)).trace);
  });
  await fc.assert(property, { seed, numRuns: 60 });
  return traces;
}
