// How the contract's cases take part and look at what the members were told.
import assert from 'node:assert/strict';
import { until } from '../../contract/log-probe.ts';
import type { Assignment, Ownership, OwnershipOptions } from '../ownership.ts';
import type { OpenOwnershipHarness, OwnershipHarness } from '../ownership-contract.ts';

/** What a member takes part with where a case does not say. */
export const PARTITIONS = 8;
export const SESSION_MS = 1_000;

/** Whoever was told assignments: in this process, or in one of its own. */
export type Told = { readonly address: string; readonly told: readonly Assignment[] };

/** One that takes part in this process. */
export class Member implements Told {
  readonly address: string;
  readonly told: Assignment[] = [];
  readonly ownership: Ownership;
  readonly running: Promise<void>;

  constructor(open: (options: OwnershipOptions) => Ownership, options: Omit<OwnershipOptions, 'onAssigned'>) {
    this.address = options.address;
    this.ownership = open({ ...options, onAssigned: (assignment) => this.told.push(assignment) });
    this.running = this.ownership.run();
    // A test that expects it to fail looks at `running` itself.
    this.running.catch(() => undefined);
  }
}

/** Runs one case on a group of its own and always ends it. */
export function onFreshGroup(
  openHarness: OpenOwnershipHarness,
  run: (harness: OwnershipHarness) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const harness = await openHarness();
    try {
      await run(harness);
    } finally {
      await harness.close();
    }
  };
}

export function mineOf({ told }: Told): readonly number[] {
  return told.at(-1)?.mine ?? [];
}

/** Whether each partition is one member's, shares are even, and all were told the same addresses, which are right. */
function areAgreed(members: readonly Told[], partitions: number): boolean {
  const shares = members.map(mineOf);
  const all = shares.flat();
  const sizes = shares.map(({ length }) => length);
  if (all.length !== partitions || new Set(all).size !== partitions) return false;
  if (Math.max(...sizes) - Math.min(...sizes) > 1) return false;
  return members.every(({ told }) => {
    const addresses = told.at(-1)?.addressByPartition ?? new Map<number, string>();
    const areRight = members.every((owner) => mineOf(owner).every((one) => addresses.get(one) === owner.address));
    return addresses.size === partitions && areRight;
  });
}

/** Resolves when they are agreed. The failure says what each was told last. */
export async function untilAgreed(members: readonly Told[], partitions: number, timeoutMs = 10_000): Promise<void> {
  try {
    await until('agreement', () => areAgreed(members, partitions), timeoutMs);
  } catch (error) {
    const told = members.map((member) => `${member.address || "''"}: ${mineOf(member)} (${member.told.length} told)`);
    assert.fail(`${error instanceof Error ? error.message : error}\n${told.join('\n')}`);
  }
}

/** How many of the partitions changed hands. */
export function movedBetween(before: readonly (readonly number[])[], members: readonly Told[]): number {
  const kept = before.map((mine, index) => {
    const member = members[index];
    return mine.filter((partition) => member !== undefined && mineOf(member).includes(partition)).length;
  });
  return before.flat().length - kept.reduce((sum, count) => sum + count, 0);
}
