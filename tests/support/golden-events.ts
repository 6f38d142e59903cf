// One event of every type, and the bytes they had when they were first encoded (tests/golden/events-v1.json). The file is written
// once, by `node tests/support/golden-events.ts`, and never again for the same types: records with these bytes lie in logs.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { openCodec } from '../../event-log/codec/codec.ts';
import { folderSchemas } from '../../event-log/codec/folder-schemas.ts';
import type { ChatEvent, EventMetadata, EventType } from '../../schemas/generated/events.ts';

const GOLDEN_FILE = new URL('../golden/events-v1.json', import.meta.url);
const ROOM = '01890f3e-7b2c-7c11-8d5e-0a1b2c3d4e5f';

/** The first version of each event type, written with the ids of the schema folder. */
export const goldenEvents: { [Type in EventType]: Extract<ChatEvent, { type: Type }> } = {
  RoomCreated: {
    type: 'RoomCreated',
    metadata: metadata(1),
    roomId: ROOM,
    spaceId: 'space-7',
    name: 'Raum der Grüße 😀',
    description: '',
    isPrivate: true,
  },
  RoomDetailsChanged: {
    type: 'RoomDetailsChanged',
    metadata: metadata(2),
    roomId: ROOM,
    name: 'Lobby',
    description: 'Where everybody arrives',
  },
  MemberInvited: { type: 'MemberInvited', metadata: metadata(3), roomId: ROOM, userId: 'user-2' },
  MemberJoined: { type: 'MemberJoined', metadata: metadata(4), roomId: ROOM, userId: 'user-2', username: '日本' },
  MessageSent: {
    type: 'MessageSent',
    metadata: { ...metadata(5), onBehalfOf: { userId: 'irc-ann', username: 'ann' } },
    roomId: ROOM,
    messageId: '01890f3e-7b2c-7c11-8d5e-0a1b2c3d4e60',
    text: '<b>hello</b>\t"quoted"\nsecond line',
    replyTo: '01890f3e-7b2c-7c11-8d5e-0a1b2c3d4e61',
    originalTime: 1_096_848_000_000,
  },
  MemberLeft: { type: 'MemberLeft', metadata: metadata(6), roomId: ROOM, userId: 'user-2', username: '日本' },
  RoomArchived: { type: 'RoomArchived', metadata: metadata(4_503_599_627_370_496), roomId: ROOM },
};

function metadata(version: number): EventMetadata {
  return {
    eventId: '01890f3e-7b2c-7c11-8d5e-0a1b2c3d4e01',
    stream: `room-${ROOM}`,
    version,
    actor: { userId: 'user-1', username: 'alice' },
    onBehalfOf: null,
    occurredAt: 1_688_000_000_000,
    commandId: 'command-1',
    correlationId: 'request-1',
  };
}

/** The committed bytes in hexadecimal, by event type. */
export function readGoldenBytes(): Record<string, string> {
  return JSON.parse(readFileSync(GOLDEN_FILE, 'utf8')) as Record<string, string>;
}

if (import.meta.main) {
  const codec = await openCodec(folderSchemas());
  const known = existsSync(GOLDEN_FILE) ? readGoldenBytes() : {};
  const bytes = Object.values(goldenEvents).map((event) => [event.type, codec.encode(event).toString('hex')] as const);
  // What is there stays: only types that are new get their bytes.
  writeFileSync(GOLDEN_FILE, `${JSON.stringify({ ...Object.fromEntries(bytes), ...known }, null, 2)}\n`);
}
