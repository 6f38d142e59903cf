// One event of every type, and the bytes they had when they were first encoded: tests/golden/events-v<n>.json, the first with all
// types in their first schema versions, each later one with what was new or had another version then. `node
// tests/support/golden-events.ts` writes the next one; no file is ever written again, because records with these bytes lie in logs.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { openCodec } from '../../event-log/codec/codec.ts';
import { folderSchemas } from '../../event-log/codec/folder-schemas.ts';
import type { ChatEvent, EventMetadata, EventType } from '../../schemas/generated/events.ts';

const ROOM = '01890f3e-7b2c-7c11-8d5e-0a1b2c3d4e5f';

/** Each event type as it is written today, with the ids of the schema folder. */
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
  RoomDetailsEdited: {
    type: 'RoomDetailsEdited',
    metadata: metadata(2),
    roomId: ROOM,
    before: { name: 'Raum der Grüße 😀', description: '' },
    after: { name: 'Lobby', description: 'Where everybody arrives' },
  },
  MemberInvited: { type: 'MemberInvited', metadata: metadata(3), roomId: ROOM, userId: 'user-2' },
  MemberJoined: {
    type: 'MemberJoined',
    metadata: metadata(4),
    roomId: ROOM,
    userId: 'user-2',
    username: '日本',
    invitedBy: 'user-1',
  },
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

/** What is read from the bytes of earlier schema versions, by file and type, where it is not what is written today. */
export const earlierEvents: Record<string, Record<string, ChatEvent>> = {
  'events-v1.json': {
    MemberJoined: { ...goldenEvents.MemberJoined, invitedBy: null },
    RoomDetailsChanged: { ...goldenEvents.RoomDetailsEdited, before: null },
  },
};

/** The committed bytes in hexadecimal, by event type, of each file from the first on. */
export function readGoldenFiles(): { file: string; bytes: Record<string, string> }[] {
  const files: { file: string; bytes: Record<string, string> }[] = [];
  for (let version = 1; existsSync(goldenFile(version)); version++) {
    const bytes = JSON.parse(readFileSync(goldenFile(version), 'utf8')) as Record<string, string>;
    files.push({ file: `events-v${version}.json`, bytes });
  }
  return files;
}

/** The newest bytes of each type. */
export function readGoldenBytes(): Record<string, string> {
  return Object.assign({}, ...readGoldenFiles().map(({ bytes }) => bytes));
}

function goldenFile(version: number): URL {
  return new URL(`../golden/events-v${version}.json`, import.meta.url);
}

if (import.meta.main) {
  const codec = await openCodec(folderSchemas());
  const known = readGoldenBytes();
  const bytes = Object.values(goldenEvents).map((event) => [event.type, codec.encode(event).toString('hex')] as const);
  const fresh = bytes.filter(([type, hex]) => known[type] !== hex);
  const file = goldenFile(readGoldenFiles().length + 1);
  if (fresh.length > 0) writeFileSync(file, `${JSON.stringify(Object.fromEntries(fresh), null, 2)}\n`);
}
