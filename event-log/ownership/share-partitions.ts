// Who gets which partition: pure, so that both adapters share out alike and the laws can be tried on thousands of groups
// (share-partitions.prop.test.ts). Whoever computes it from the same members gets the same shares, in whatever order they stand.

export type SharingMember = {
  id: string;
  address: string;
  /** What the member says it has. */
  owned: readonly number[];
  /** As of which sharing it has that. A claim of a later sharing beats one of an earlier: the earlier owner was away meanwhile. */
  generation: number;
  /** It gets nothing as long as somebody stays. */
  isLeaving: boolean;
};

/** The partitions of each member, ascending; every member is in it. */
export type Shares = ReadonlyMap<string, readonly number[]>;

/**
 * Shares out the partitions 0 … partitions − 1 among the members that stay: as many to each, give or take one, and of what a member
 * has it keeps all that this allows, so as few partitions as possible change hands.
 *
 * Where all are leaving nobody could take anything, and taking away would only stop work early: each keeps what it has, and what
 * nobody has stays with nobody.
 */
export function sharePartitions(partitions: number, members: readonly SharingMember[]): Shares {
  const inOrder = [...members].sort((left, right) => (left.id < right.id ? -1 : 1));
  const claims = settleClaims(partitions, inOrder);
  const staying = inOrder.filter(({ isLeaving }) => !isLeaving);
  if (staying.length === 0) return claims;

  const shares = new Map(inOrder.map(({ id }) => [id, [] as number[]]));
  const room = shareSizes(partitions, staying, claims);
  const taken = new Set<number>();
  for (const { id } of staying) {
    const kept = (claims.get(id) ?? []).slice(0, room.get(id));
    for (const partition of kept) taken.add(partition);
    shares.set(id, kept);
  }
  let free = 0;
  for (const { id } of staying) {
    const share = shares.get(id) ?? [];
    while (share.length < (room.get(id) ?? 0)) {
      while (taken.has(free)) free++;
      share.push(free++);
    }
    share.sort((left, right) => left - right);
  }
  return shares;
}

/** By partition the address of its owner; a partition without one is absent. */
export function addressesOf(shares: Shares, members: readonly SharingMember[]): Map<number, string> {
  const owned = members.flatMap(({ id, address }) =>
    (shares.get(id) ?? []).map((partition): [number, string] => [partition, address]),
  );
  return new Map(owned.sort(([left], [right]) => left - right));
}

/** What each member rightly says it has, ascending: of two claims the later one, and of two as late the first member's. */
function settleClaims(partitions: number, members: readonly SharingMember[]): Map<string, number[]> {
  const claimByPartition = new Map<number, { id: string; generation: number }>();
  for (const { id, owned, generation } of members) {
    for (const partition of owned) {
      const other = claimByPartition.get(partition);
      const isOurs = Number.isInteger(partition) && partition >= 0 && partition < partitions;
      if (isOurs && (other === undefined || generation > other.generation)) {
        claimByPartition.set(partition, { id, generation });
      }
    }
  }
  const claims = new Map(members.map(({ id }) => [id, [] as number[]]));
  for (const [partition, { id }] of claimByPartition) claims.get(id)?.push(partition);
  for (const owned of claims.values()) owned.sort((left, right) => left - right);
  return claims;
}

/** How many each gets. Where they do not go even, those that have most get the one more: from anybody else it would be a move. */
function shareSizes(
  partitions: number,
  staying: readonly SharingMember[],
  claims: ReadonlyMap<string, readonly number[]>,
): Map<string, number> {
  const least = Math.floor(partitions / staying.length);
  const withOneMore = partitions % staying.length;
  const sizeOfClaim = ({ id }: SharingMember): number => claims.get(id)?.length ?? 0;
  // Sorting is stable, so members that have as many come in the order of their ids.
  const ranked = [...staying].sort((left, right) => sizeOfClaim(right) - sizeOfClaim(left));
  return new Map(ranked.map(({ id }, rank) => [id, rank < withOneMore ? least + 1 : least]));
}
