// What snapshots of a fixed history look like, byte for byte, and the file they are held to: tests/golden/snapshot-v<STATE_VERSION>.json.
// It is written once for each STATE_VERSION, by `node tests/support/golden-snapshot.ts`, and never changed: snapshots with these
// bytes lie in stores, and are taken for what this build would have written.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { PartitionState } from '../../commands/partition/partition-state.ts';
import { encodePieces, encodeRoom, encodeSegments, STATE_VERSION } from '../../commands/partition/snapshot-codec.ts';
import { setIdOf } from '../../commands/partition/snapshot-keys.ts';
import { SnapshotSet } from '../../commands/partition/snapshot-set.ts';
import { openMemoryEventLog } from '../../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../../event-log/memory/memory-store.ts';
import { streamOfRoom } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { goldenEvents } from './golden-events.ts';
import { testCodec } from './write-side.ts';

const goldenFile = (version: number) => new URL(`../golden/snapshot-v${version}.json`, import.meta.url);
const GOLDEN_FILE = goldenFile(STATE_VERSION);

/** Every entry of a first round and of a second one, and the pieces of a room, in hexadecimal by key. */
export function goldenSnapshot(): Record<string, string> {
  const onBroken = (stream: string, reason: string) => {
    throw new Error(`${stream}: ${reason}`);
  };
  const { log } = openMemoryEventLog(new MemoryStore(1));
  const state = new PartitionState({ log, codec: testCodec, partition: 0, onBroken });
  state.keepChanged();
  state.skipTo(7);
  const set = new SnapshotSet(setIdOf(3, '0199c0de-0000-7000-8000-000000000001'), state);
  const values: [string, string][] = [];
  const [first, second] = history();
  for (const events of [first, second]) {
    state.foldAppended(events);
    for (const { key, value } of set.round()) values.push([`${values.length} ${key}`, value?.toString('hex') ?? '']);
  }
  const [room] = state.rooms.values();
  if (room === undefined) throw new Error('the history has a room');
  for (const value of encodePieces(room.state)) values.push(['piece', value.toString('hex')]);
  values.push(['room in pieces', encodeRoom(room, { version: 5, count: 300 }).toString('hex')]);
  const note = {
    key: 'a\0b',
    fingerprint: 2 ** 32 - 1,
    id: 'no UUID',
    version: 2 ** 40,
    offset: 2 ** 41,
    occurredAt: 0,
  };
  for (const value of encodeSegments(false, [{ stream: 'room-x', notes: [note] }])) {
    values.push(['segment', value.toString('hex')]);
  }
  return Object.fromEntries(values);
}

/** The golden events as two rooms may have had them, in two parts. */
function history(): [ChatEvent[], ChatEvent[]] {
  const { RoomCreated, MemberInvited, MemberJoined, MessageSent, RoomDetailsEdited, MemberLeft, RoomArchived } =
    goldenEvents;
  const first = [RoomCreated, MemberInvited, MemberJoined, { ...MemberInvited, userId: 'user-3' }, MessageSent];
  const second = [RoomDetailsEdited, MessageSent, MemberLeft, RoomArchived];
  const inRoom = (roomId: string, events: readonly ChatEvent[], from: number) =>
    events.map((event, index): ChatEvent => {
      const version = from + index;
      const of = { stream: streamOfRoom(roomId), version, commandId: `command-${version}` };
      return { ...event, roomId, metadata: { ...event.metadata, ...of } };
    });
  const [one, other] = [RoomCreated.roomId, 'Grüße 😀'];
  return [[...inRoom(one, first, 1), ...inRoom(other, first.slice(0, 2), 1)], inRoom(one, second, first.length + 1)];
}

/** The committed bytes of a state version, in hexadecimal by key; none where it has none. */
export function readGoldenSnapshot(version = STATE_VERSION): Record<string, string> {
  const file = goldenFile(version);
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>) : {};
}

if (import.meta.main) {
  if (existsSync(GOLDEN_FILE)) throw new Error(`${GOLDEN_FILE.pathname} is there already: raise STATE_VERSION`);
  writeFileSync(GOLDEN_FILE, `${JSON.stringify(goldenSnapshot(), null, 2)}\n`);
}
