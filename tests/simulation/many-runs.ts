// Thousands of runs, and what they met together.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type Sizes, scenarios } from './scenario.ts';
import { simulate } from './simulate.ts';

/** What every simulation must meet again and again, or it proves nothing: faults, and what they lead to in the product. */
const TO_BE_MET = [
  ...['requestLost', 'answerLost', 'late', 'duplicated', 'error'],
  ...['restart', 'outage', 'freeze', 'crash', 'stop', 'leap', 'reading'],
  ...['conflict', 'landed', 'notLanded', 'void', 'accepted', 'nothingToDo', 'refused', 'unknown'],
];

/** A run that finds something fails with its seed and path; run-simulation.ts repeats it. */
export async function assertManyRuns(sizes: Sizes, numRuns: number): Promise<void> {
  const met = new Map<string, number>();
  const property = fc.asyncProperty(scenarios(sizes), async (scenario) => {
    for (const [what, times] of (await simulate(scenario)).met) met.set(what, (met.get(what) ?? 0) + times);
  });
  await fc.assert(property, { numRuns });
  const hardlyMet = TO_BE_MET.filter((what) => (met.get(what) ?? 0) < numRuns / 50);
  assert.deepEqual(hardlyMet, [], `met in fewer than 2 of 100 runs: ${JSON.stringify([...met])}`);
}
