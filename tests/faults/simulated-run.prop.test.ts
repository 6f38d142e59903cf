import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { arbitrarySteps, runOfSteps, violationsOf } from './simulated-run.ts';
import { SPOILERS } from './spoilt-runs.ts';

describe('laws of the checker', () => {
  it('FLT-1 law: a run in which everything went right has no violation', async () => {
    await fc.assert(
      fc.asyncProperty(arbitrarySteps, async (steps) => {
        assert.deepEqual(await violationsOf(runOfSteps(steps)), []);
      }),
      { numRuns: 300 },
    );
  });

  for (const [what, { foundBy, spoil }] of Object.entries(SPOILERS)) {
    it(`FLT-2 law: it is found when ${what}`, async () => {
      await fc.assert(
        fc.asyncProperty(arbitrarySteps, fc.infiniteStream(fc.nat()), async (steps, numbers) => {
          const run = runOfSteps(steps);
          const pick = <Item>(items: readonly Item[]) => items[numbers.next().value % Math.max(1, items.length)];
          // Draws another run where this one has no place for the fault.
          fc.pre(spoil(run, pick));
          const found = (await violationsOf(run)).map(({ check }) => check);
          assert.ok(
            found.some((check) => foundBy.includes(check)),
            `found by: ${found.join(', ') || 'none'}`,
          );
        }),
        { numRuns: 25 },
      );
    });
  }
});
