// Folds a chunk of the log into what it changes in the hot cache: pure.
import { streamOfRoom, subjectOf } from '../../schemas/commands.ts';
import type { ChatEvent, EventType } from '../../schemas/generated/events.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { messageView } from '../../schemas/views.ts';
import type { MessageView } from '../../schemas/wire.ts';
import type { Chunk } from '../sink.ts';
import type { CacheChunk, MemberChange, RoomRun } from './room-cache.ts';

/** Events that only move the room's version, and why. */
const UNPROJECTED = {
  RoomDetailsEdited: 'the cache keeps no details of rooms',
  RoomArchived: 'an archived room is read like any other',
  MemberInvited: 'an invitation makes nobody a member',
} as const satisfies Partial<Record<EventType, string>>;

type Unprojected = Extract<ChatEvent, { type: keyof typeof UNPROJECTED }>;
type OpenRun = {
  roomId: string;
  firstVersion: number;
  lastVersion: number;
  messages: MessageView[];
  members: MemberChange[];
};

export function foldRuns(chunk: Chunk): CacheChunk {
  const dropped = new Set<string>();
  const runs: OpenRun[] = [];
  const lastRunByRoom = new Map<string, OpenRun>();
  for (const { record, content } of chunk.records) {
    if ('fault' in content) {
      dropped.add(roomOfStream(record.key));
      continue;
    }
    const { roomId, metadata } = content.event;
    let run = lastRunByRoom.get(roomId);
    if (run !== undefined && metadata.version <= run.lastVersion) continue;
    if (run === undefined || metadata.version !== run.lastVersion + 1) {
      run = { roomId, firstVersion: metadata.version, lastVersion: metadata.version, messages: [], members: [] };
      runs.push(run);
      lastRunByRoom.set(roomId, run);
    }
    run.lastVersion = metadata.version;
    applyEvent(run, content.event);
  }
  return { moves: chunk.moves, dropped: [...dropped], runs: runs.map(closeRun) };
}

function applyEvent(run: OpenRun, event: ChatEvent): void {
  if (isUnprojected(event)) return;
  const { version } = event.metadata;
  switch (event.type) {
    case 'RoomCreated':
      run.members.push({ version, userId: subjectOf(event.metadata).userId, isMember: true });
      return;
    case 'MemberJoined':
      run.members.push({ version, userId: event.userId, isMember: true });
      return;
    case 'MemberLeft':
      run.members.push({ version, userId: event.userId, isMember: false });
      return;
    case 'MessageSent':
      run.messages.push(messageView(event));
      return;
    default:
      event satisfies never;
  }
}

function isUnprojected(event: ChatEvent): event is Unprojected {
  return event.type in UNPROJECTED;
}

function closeRun({ messages, ...run }: OpenRun): RoomRun {
  const isCut = messages.length > LIMITS.cachedMessages;
  return { ...run, isCut, messages: messages.slice(-LIMITS.cachedMessages) };
}

/** The room that a record's key names; a key that is not ours names none that could be cached. */
function roomOfStream(key: string): string {
  return key.slice(streamOfRoom('').length);
}
