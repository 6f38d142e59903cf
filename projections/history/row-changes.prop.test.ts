import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { RowChanges } from './row-changes.ts';

type Step = { kind: 'add' | 'remove'; user: string; row: number };

const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('add' as const, 'remove' as const),
    user: fc.constantFrom('ada', 'bob', 'cy'),
    row: fc.nat(),
  }),
  { maxLength: 20 },
);

/** What the two statements do: delete what was removed, insert what was added and is not there. */
function apply(table: Map<string, { user: string; row: number }>, run: readonly Step[]): void {
  const changes = new RowChanges<{ user: string; row: number }>();
  for (const { kind, user, row } of run) {
    if (kind === 'add') changes.add(['room', user], { user, row });
    else changes.remove(['room', user]);
  }
  for (const [, user] of changes.removed) table.delete(user);
  for (const row of changes.added) if (!table.has(row.user)) table.set(row.user, row);
}

describe('row changes', () => {
  it('law: a run means the same however it is cut', () => {
    fc.assert(
      fc.property(steps, fc.nat(20), (run, at) => {
        const whole = new Map();
        const cut = new Map();
        apply(whole, run);
        apply(cut, run.slice(0, at));
        apply(cut, run.slice(at));
        assert.deepEqual(new Map([...cut].sort()), new Map([...whole].sort()));
      }),
    );
  });
});
