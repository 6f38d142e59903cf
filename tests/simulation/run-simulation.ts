// `node tests/simulation/run-simulation.ts --seed 7 --seeds 20 --runs 500` runs the simulation with the seeds 7 to 26 and prints a line
// of JSON for each (SeedResult). `--sizes large` takes the larger scenarios. `--path 3:1`, as a failing test prints it, repeats one run
// and prints all that happened in it. With tests/support/planted-bugs/plant.ts it is the simulation of a planted bug.
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import { LARGE, SMALL, scenarios } from './scenario.ts';
import { type Outcome, simulate } from './simulate.ts';

/** `found`: in one sentence what was wrong, in the last one of the runs; null where nothing was. */
export type SeedResult = {
  seed: number;
  runs: number;
  found: string | null;
  path: string | null;
  /** The most steps that a run took, and that one took after its last fault. */
  steps: number;
  calmSteps: number;
};

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    runs: { type: 'string', default: '500' },
    sizes: { type: 'string', default: 'small' },
    path: { type: 'string' },
  },
});
for (let index = 0; index < Number(values.seeds); index++) print(await runSeed(Number(values.seed) + index));

async function runSeed(seed: number): Promise<SeedResult> {
  const longest = { steps: 0, calmSteps: 0 };
  let last: Outcome | undefined;
  const property = fc.asyncProperty(scenarios(values.sizes === 'large' ? LARGE : SMALL), async (scenario) => {
    last = await simulate(scenario);
    longest.steps = Math.max(longest.steps, last.steps);
    longest.calmSteps = Math.max(longest.calmSteps, last.calmSteps);
  });
  const { path } = values;
  const options = path === undefined ? { numRuns: Number(values.runs) } : { numRuns: 1, path };
  const details = await fc.check(property, { seed, endOnFailure: true, ...options });
  const error = details.errorInstance;
  const message = error instanceof Error ? error.message : null;
  if (path !== undefined) process.stdout.write(`${message ?? last?.trace.join('\n')}\n`);
  const found = message?.split('\n')[0] ?? null;
  return { seed, runs: details.numRuns, found, path: details.counterexamplePath, ...longest };
}

function print(result: SeedResult): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
