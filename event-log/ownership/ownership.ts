// THE PORT of who works on which partitions: the processes of one role share them out, each partition to one process at a time.
// Three stand behind it: a Kafka group (kafka/kafka-ownership.ts), leases in PostgreSQL (postgres/postgres-ownership.ts), and
// everything for a process that is alone (sole-ownership.ts). One contract suite says what all must do.
//
// Ownership is for speed, never for correctness: a process that was frozen, or is cut off, goes on believing what it was told last,
// so two may believe at once that a partition is theirs. The predicted offset (commands) and the checkpoint (projections) decide.

export type Assignment = {
  /** The partitions of this process, ascending. */
  mine: readonly number[];
  /** By partition, where its owner is reached: what that process gave as its address. A partition that nobody has is absent. */
  addressByPartition: ReadonlyMap<number, string>;
};

export type OwnershipOptions = {
  /** Processes with the same role share the partitions of the log among them. Lower-case letters, digits and hyphens. */
  role: string;
  partitions: number;
  /** Where the other processes reach this one; '' where nobody has to. */
  address: string;
  /** Milliseconds without a sign of life after which a process counts as gone and its partitions go to others. */
  sessionMs: number;
  /** Told of every change, in order, and before run() or handOver() resolve. Must not throw. */
  onAssigned: (assignment: Assignment) => void;
};

export type Ownership = {
  /**
   * Takes part until stop(), then resolves. Rejects on bugs only: a server that is away is tried again for ever, with pauses of at
   * most 1 s, and what was assigned last holds meanwhile.
   */
  run(): Promise<void>;
  /**
   * Asks the others to take all partitions of this process, which still takes part but gets none. Resolves when an assignment
   * without any has been told, at once where nobody else is there, or after `waitMs` at the latest. Never rejects.
   */
  handOver(waitMs: number): Promise<void>;
  /** Leaves: what is still ours is shared out among the others at once, not only after sessionMs. */
  stop(): Promise<void>;
};

/** How a role takes part in sharing out the partitions among its processes. */
export type OpenOwnership = (role: string, onAssigned: (assignment: Assignment) => void) => Ownership;
