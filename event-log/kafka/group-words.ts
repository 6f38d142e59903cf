// What the members of a group tell each other: in joining, what each has; in the leader's answer, who has what and where. Both are
// wrapped as Kafka's consumers do it, so that kafka-consumer-groups --describe shows the partitions of each process.
import kafkajs from 'kafkajs';
import { z } from 'zod';
import type { Assignment } from '../ownership/ownership.ts';
import { addressesOf, type SharingMember, sharePartitions } from '../ownership/share-partitions.ts';
import type { JoinedMember } from './group-requests.ts';

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;

/** Members that do not speak the same of these are refused by the broker, so words of a new form need a new name here. */
export const PROTOCOL = { protocolType: 'consumer', protocolName: 'roomlog-1' } as const;
/** Of the wrapping, not of our words. */
const WRAPPING_VERSION = 0;

export type Claim = { address: string; owned: readonly number[]; generation: number; isLeaving: boolean };

const claimWords = z.object({
  address: z.string(),
  owned: z.array(z.number().int()),
  generation: z.number().int(),
  isLeaving: z.boolean(),
});

/** The addresses of all owners, each once, and by partition which of them it is; -1 where nobody has it. */
const assignmentWords = z.object({ addresses: z.array(z.string()), owners: z.array(z.number().int()) });

/** What a member says when it joins. */
export function encodeClaim(topic: string, claim: Claim): Buffer {
  return MemberMetadata.encode({ version: WRAPPING_VERSION, topics: [topic], userData: toBytes(claim) });
}

/** The leader's work: the assignment of every member that joined, to be given to the coordinator. */
export function shareOut(
  { topic, partitions, generation }: { topic: string; partitions: number; generation: number },
  joined: readonly JoinedMember[],
): { memberId: string; assignment: Buffer }[] {
  const members = joined.map((member) => toSharingMember(member, generation));
  const shares = sharePartitions(partitions, members);
  const addressByPartition = addressesOf(shares, members);
  const addresses = [...new Set(addressByPartition.values())];
  const owners = Array.from({ length: partitions }, (_, partition) =>
    addresses.indexOf(addressByPartition.get(partition) ?? NO_ADDRESS),
  );
  const userData = toBytes({ addresses, owners });
  return [...shares].map(([memberId, mine]) => ({
    memberId,
    assignment: MemberAssignment.encode({ version: WRAPPING_VERSION, assignment: { [topic]: [...mine] }, userData }),
  }));
}

/** Throws when it is not of our form. */
export function decodeAssignment(topic: string, bytes: Buffer): Assignment {
  const wrapped = MemberAssignment.decode(bytes);
  if (wrapped === null) throw new Error('the leader of the group gave this member no assignment');
  const { addresses, owners } = assignmentWords.parse(JSON.parse(wrapped.userData.toString()));
  const mine = [...(wrapped.assignment[topic] ?? [])].sort((left, right) => left - right);
  const entries = owners.flatMap((owner, partition): [number, string][] => {
    const address = addresses[owner];
    return address === undefined ? [] : [[partition, address]];
  });
  return { mine, addressByPartition: new Map(entries) };
}

/** No address is like this, so that it is never found among the addresses. */
const NO_ADDRESS = '\0';

function toSharingMember({ memberId: id, metadata }: JoinedMember, generation: number): SharingMember {
  const claim = decodeClaim(metadata);
  // A claim as new as the sharing under way is from a life of the group before this one: generations began anew.
  if (claim.generation >= generation) return { id, ...claim, owned: [], generation: 0 };
  return { id, ...claim };
}

/** One whose words cannot be read is given nothing: whatever it is, it would not know what to do with it. */
function decodeClaim(metadata: Buffer): Claim {
  try {
    return claimWords.parse(JSON.parse(MemberMetadata.decode(metadata)?.userData.toString() ?? ''));
  } catch {
    return { address: '', owned: [], generation: 0, isLeaving: true };
  }
}

function toBytes(words: Claim | z.output<typeof assignmentWords>): Buffer {
  return Buffer.from(JSON.stringify(words));
}
