import { describe, it } from 'mocha';
import { assertManyRuns } from './many-runs.ts';
import { LARGE } from './scenario.ts';

// A file of its own, because test files run side by side.
describe('the append protocol, simulated at length', () => {
  it('SIM-1 SIM-2 SIM-3 SIM-4 SIM-5 SIM-6 SIM-7 SIM-8 holds in 4,000 runs of large scenarios', async () => {
    await assertManyRuns(LARGE, 4_000);
  }).timeout(300_000);
});
