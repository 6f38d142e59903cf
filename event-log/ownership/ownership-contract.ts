// What everything behind the port must do (ownership.ts says it in words, docs/spec/ownership.md in rules). Each adapter's own int
// test opens real servers and calls describeOwnershipContract.
import { describe } from 'mocha';
import { describeGoing } from './contract/going.ts';
import type { Member, Told } from './contract/members.ts';
import { describeSharing } from './contract/sharing.ts';
import { describeTrouble } from './contract/trouble.ts';
import type { OwnershipOptions } from './ownership.ts';

export type MemberOptions = Partial<Omit<OwnershipOptions, 'onAssigned'>>;

/** Opens a group that nobody else has, for one test. */
export type OpenOwnershipHarness = () => Promise<OwnershipHarness>;

export type OwnershipHarness = {
  /** A member in this process, with connections of its own. What is left out: PARTITIONS, SESSION_MS, a new address. */
  join(options?: MemberOptions): Member;
  /** A member all of whose connections go through a proxy. */
  joinThroughProxy(options?: MemberOptions): Promise<{ member: Member; faults: ServerFaults }>;
  /** A member in a process of its own, once it has been told an assignment. */
  spawn(options?: MemberOptions): Promise<ProcessMember>;
  /** Ends every member and the proxies, and drops what the group needed. */
  close(): Promise<void>;
};

export type ProcessMember = Told & { signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void };

/** What tests/support/tcp-proxy.ts can do; it says there what each one means. */
export type ServerFaults = {
  cut(): void;
  swallowAnswers(): void;
  refuse(): Promise<void>;
  accept(): Promise<void>;
  connections(): number;
};

/** Declares the whole suite for one adapter. */
export function describeOwnershipContract(name: string, openHarness: OpenOwnershipHarness): void {
  describe(`ownership on ${name}`, () => {
    describeSharing(openHarness);
    describeGoing(openHarness);
    describeTrouble(openHarness);
  });
}
