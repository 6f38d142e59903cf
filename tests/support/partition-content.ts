// All that a partition's state holds, as plain values that compare whatever order its maps are in.
import { idToText } from '../../commands/partition/command-columns.ts';
import type { PartitionState } from '../../commands/partition/partition-state.ts';

export function contentOfState(state: PartitionState): unknown {
  const { nextOffset, events, lastEvent, brokenStreams } = state;
  const rooms = [...state.rooms].map(([stream, { state: room, lastOffset }]) => {
    const members = [...room.members].sort();
    return [stream, { ...room, members, invited: [...room.invited].sort(), lastOffset }] as const;
  });
  const remembered = state.remembered.all().map(({ stream, notes }) => ({
    stream,
    notes: [...notes].map(({ id, ...note }) => ({ ...note, id: idToText(id, stream) })),
  }));
  const sorted = rooms.sort(([one], [other]) => (one < other ? -1 : 1));
  return { nextOffset, events, lastEvent, broken: [...brokenStreams], rooms: Object.fromEntries(sorted), remembered };
}
