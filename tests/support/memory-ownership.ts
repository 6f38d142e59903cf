// Ownership among members of one process: they share the partitions out evenly, in the order in which they came, and a test may tell
// any of them something else, which is how a process that was frozen or cut off comes to believe in what is another's.
import type { Assignment, Ownership, OwnershipOptions } from '../../event-log/ownership/ownership.ts';

type Member = Pick<OwnershipOptions, 'address' | 'onAssigned'> & {
  takesPart: boolean;
  left: PromiseWithResolvers<void>;
};

export class MemoryOwnershipGroup {
  readonly #partitions: number;
  readonly #members: Member[] = [];

  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** Takes part from run() on. */
  open({ address, onAssigned }: Pick<OwnershipOptions, 'address' | 'onAssigned'>): Ownership {
    const member: Member = { address, onAssigned, takesPart: true, left: Promise.withResolvers() };
    return {
      run: () => {
        this.#members.push(member);
        this.#share();
        return member.left.promise;
      },
      handOver: async () => {
        member.takesPart = false;
        this.#share();
      },
      stop: async () => {
        const at = this.#members.indexOf(member);
        if (at >= 0) this.#members.splice(at, 1);
        member.left.resolve();
        this.#share();
      },
    };
  }

  /** Tells the member that came as `at`-th that these are its own, and nobody else anything. */
  tell(at: number, mine: readonly number[]): void {
    this.#members[at]?.onAssigned({ mine, addressByPartition: new Map() });
  }

  #share(): void {
    const sharing = this.#members.filter(({ takesPart }) => takesPart);
    const owners = Array.from({ length: this.#partitions }, (_, at) => sharing[at % Math.max(1, sharing.length)]);
    const addressByPartition: Assignment['addressByPartition'] = new Map(
      owners.flatMap((owner, partition) => (owner === undefined ? [] : [[partition, owner.address] as const])),
    );
    for (const member of this.#members) {
      const mine = owners.flatMap((owner, partition) => (owner === member ? [partition] : []));
      member.onAssigned({ mine, addressByPartition });
    }
  }
}
