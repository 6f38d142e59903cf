// What the write side's state takes: an idle room, a membership, a remembered command, and from these what a million rooms need.
//
//   node --expose-gc bench/write-side-memory.ts
import assert from 'node:assert/strict';
import { PartitionState } from '../commands/partition/partition-state.ts';
import { RememberedCommands } from '../commands/partition/remembered-commands.ts';
import { openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { uuidv7Ids } from '../platform/ids.ts';
import { streamOfRoom } from '../schemas/commands.ts';
import type { ChatEvent } from '../schemas/generated/events.ts';
import { LIMITS } from '../schemas/limits.ts';

const codec = await openCodec(folderSchemas());
const NOTHING = { perRoom: 0, perRoomMs: 0, perPartition: 1 };

const empty = measure('an idle room without members', 100_000, () => stateOf(100_000, 0));
const small = measure('an idle room of 10 members', 50_000, () => stateOf(50_000, 10));
const membership = (small - empty) / 10;
console.log(`a membership in a room of 10: ${Math.round(membership)} bytes`);
for (const members of [100, 1_000, 100_000]) {
  const rooms = Math.max(1, 200_000 / members);
  measure(`a membership in a room of ${members}`, rooms * members, () => stateOf(rooms, members));
}
const remembered = LIMITS.rememberedCommandsPerPartition;
measure('a remembered command', remembered, () => {
  const commands = new RememberedCommands({ perRoom: remembered, perRoomMs: 0, perPartition: remembered });
  for (let index = 0; index < remembered; index++) {
    const event = fresh(eventOf('MessageSent', `${index % 1_000}`, index % 700, 1 + Math.floor(index / 1_000)));
    commands.note(event.metadata.stream, event, index);
  }
  assert.equal(commands.count, remembered);
  return commands;
});
const total = 1e6 * empty + 10e6 * membership;
console.log(`1,000,000 rooms with 10,000,000 memberships: ${(total / 2 ** 30).toFixed(2)} GiB`);

/** Bytes of each of `count` things that `make` makes. */
function measure(what: string, count: number, make: () => object): number {
  const before = used();
  const kept = make();
  const bytes = (used() - before) / count;
  console.log(`${what}: ${Math.round(bytes)} bytes`);
  assert.ok(Object.keys(kept).length >= 0);
  return bytes;
}

function used(): number {
  assert.ok(globalThis.gc, 'run it with --expose-gc');
  for (let round = 0; round < 3; round++) globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Each of so many rooms with so many members, folded from events as they come from the log. */
function stateOf(rooms: number, members: number): PartitionState {
  const { log } = openMemoryEventLog(new MemoryStore(1));
  const onBroken = (stream: string, reason: string) => assert.fail(`${stream}: ${reason}`);
  const state = new PartitionState({ log, codec, partition: 0, onBroken, bounds: NOTHING });
  for (let room = 0; room < rooms; room++) {
    const roomId = `0199c0de-0000-7000-8000-${String(room).padStart(12, '0')}`;
    const events = [eventOf('RoomCreated', roomId, 0, 1)];
    for (let user = 1; user < members; user++) events.push(eventOf('MemberJoined', roomId, user, user + 1));
    if (members === 0) events.push(eventOf('MemberLeft', roomId, 0, 2));
    state.foldAppended(events.map(fresh));
  }
  return state;
}

/** With texts of its own, as every event has that is read. */
function fresh(event: ChatEvent): ChatEvent {
  return codec.decode(codec.encode(event));
}

function eventOf(
  type: 'RoomCreated' | 'MemberJoined' | 'MemberLeft' | 'MessageSent',
  roomId: string,
  user: number,
  version: number,
): ChatEvent {
  const actor = { userId: `0199c0de-0000-7000-8000-${String(user).padStart(12, '0')}`, username: `User ${user}` };
  const metadata = {
    eventId: uuidv7Ids.next(),
    stream: streamOfRoom(roomId),
    version,
    actor,
    onBehalfOf: null,
    occurredAt: 1_700_000_000_000 + version,
    commandId: uuidv7Ids.next(),
    correlationId: 'request',
  };
  if (type === 'RoomCreated') {
    return { type, metadata, roomId, spaceId: 'space', name: `The room of ${user}`, description: '', isPrivate: false };
  }
  if (type === 'MessageSent') {
    return { type, metadata, roomId, messageId: uuidv7Ids.next(), text: 'hello', replyTo: null, originalTime: null };
  }
  if (type === 'MemberJoined') return { type, metadata, roomId, ...actor, invitedBy: null };
  return { type, metadata, roomId, ...actor };
}
