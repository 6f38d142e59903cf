// What every adapter of the port must do (event-log.ts says it in words). Each adapter's own int test opens real servers and
// calls describeEventLogContract; a case that holds for one adapter only stands in that adapter's own tests.
import { describe } from 'mocha';
import { describeAppending } from './contract/appending.ts';
import { describeBrokenConnections } from './contract/broken-connections.ts';
import { describeChangingPartitions } from './contract/changing-partitions.ts';
import { describeFollowing } from './contract/following.ts';
import { describeInspecting } from './contract/inspecting.ts';
import { describeRacingWriters } from './contract/racing-writers.ts';
import { describeReading } from './contract/reading.ts';
import type { EventLog } from './event-log.ts';

/** Opens a new, empty log of that many partitions for one test. */
export type OpenHarness = (partitions: number) => Promise<LogHarness>;

export type LogHarness = {
  readonly log: EventLog;
  /** A handle with connections of its own on the same log, as another process would have it. */
  openAnother(): Promise<EventLog>;
  /**
   * A handle all of whose connections go through a proxy. Its append must give up without an answer after at most 2 s, and the
   * protocol must need no handshake secret, so that replayed bytes are understood.
   */
  openThroughProxy(): Promise<{ log: EventLog; faults: ConnectionFaults }>;
  /** Deletes the records below an offset behind the log's back, as an operator or a retention setting would. */
  deleteBelow(partition: number, offset: number): Promise<void>;
  /** Closes every handle and the proxies, and drops the log. */
  close(): Promise<void>;
};

/** What tests/support/tcp-proxy.ts can do; it says there what each one means. */
export type ConnectionFaults = {
  cut(): void;
  swallowAnswers(): void;
  swallowRequests(): void;
  swallowedBytes(): number;
  holdRequests(): void;
  releaseRequests(): Promise<void>;
  refuse(): Promise<void>;
  accept(): Promise<void>;
  replay(): Promise<number>;
};

/** Declares the whole suite for one adapter. */
export function describeEventLogContract(name: string, openHarness: OpenHarness): void {
  describe(`event log on ${name}`, () => {
    describeAppending(openHarness);
    describeReading(openHarness);
    describeInspecting(openHarness);
    describeFollowing(openHarness);
    describeChangingPartitions(openHarness);
    describeRacingWriters(openHarness);
    describeBrokenConnections(openHarness);
  });
}
