// What spoilt-runs.ts finds its victims with, and changes them by.
import { parsePosition } from '../../schemas/commands.ts';
import type { ChatEvent, MessageSent } from '../../schemas/generated/events.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { expectedFrame } from './expected-frames.ts';
import type { Accepted, HistoryEntry, Invoked, Joining, Received } from './history.ts';
import type { LoggedEvent } from './read-log.ts';
import { projectionsOf, type SimulatedRun } from './simulated-run.ts';

/** One of several; undefined where there are none. */
export type Pick = <Item>(items: readonly Item[]) => Item | undefined;
/** A command that was done and told. */
export type Told = { answer: Accepted; logged: LoggedEvent; invoked: Invoked[] };
type Pair = { first: Told; second: Told };

// Finding

export function eventsOf(run: SimulatedRun, roomId: string): LoggedEvent[] {
  return run.log.events.filter(({ event }) => event.roomId === roomId);
}

export function messagesOf(run: SimulatedRun): MessageSent[] {
  return run.log.events.flatMap(({ event }) => (event.type === 'MessageSent' ? [event] : []));
}

export function receivedOf(run: SimulatedRun): Received[] {
  return run.history.filter((entry) => entry.kind === 'received');
}

/** Those of single events. */
export function eventFramesOf(run: SimulatedRun): Received[] {
  return receivedOf(run).filter(({ event }) => event !== SERVER_FRAMES.recentMessages);
}

export function placeOf({ data }: Received): { roomId: string; version: number } {
  return data as { roomId: string; version: number };
}

/** Of a recent-messages frame; empty for others. */
export function messagesIn({ data }: Received): unknown[] {
  return (data as { messages?: unknown[] }).messages ?? [];
}

export function acceptedOf(run: SimulatedRun): Accepted[] {
  return run.history.filter((entry) => entry.kind === 'accepted');
}

export function toldOf(run: SimulatedRun): Told[] {
  return acceptedOf(run).flatMap((answer) => {
    const { partition, offset } = parsePosition(answer.position) ?? { partition: -1, offset: -1 };
    const logged = run.log.events.find((one) => one.partition === partition && one.offset === offset);
    return answer.changed && logged ? [{ answer, logged, invoked: attemptsOf(run, answer) }] : [];
  });
}

/** Two messages of a room each, in the order of the log. */
export function toldPairsOf(run: SimulatedRun): Pair[] {
  const told = toldOf(run).filter(({ logged }) => logged.event.type === 'MessageSent');
  return told.flatMap((first) =>
    told.filter(({ logged }) => isLater(logged.event, first.logged.event)).map((second) => ({ first, second })),
  );
}

/** The second one was asked for when the first one had been told. */
export function isInTurn(run: SimulatedRun, { first, second }: Pair): boolean {
  const [asked] = second.invoked;
  return asked !== undefined && run.history.indexOf(first.answer) < run.history.indexOf(asked);
}

/** Both went over one socket, once each. */
export function isOverOneSocket(run: SimulatedRun, { first, second }: Pair): boolean {
  const [one, other] = [first.invoked[0], second.invoked[0]];
  if (!one || !other || first.invoked.length + second.invoked.length > 2) return false;
  const between = run.history.slice(run.history.indexOf(one), run.history.indexOf(other));
  const isSame = one.client === other.client && one.via === other.via && one.via !== 'rest';
  return isSame && !between.some((entry) => entry.kind === 'connected' && entry.userId === one.userId);
}

function attemptsOf(run: SimulatedRun, { attempt }: Accepted): Invoked[] {
  const invoked = run.history.filter((entry) => entry.kind === 'invoked');
  const commandId = invoked.find((entry) => entry.attempt === attempt)?.commandId;
  return invoked.filter((entry) => entry.commandId === commandId);
}

export function userOf(run: SimulatedRun, { socketId }: { socketId: string }): string | undefined {
  return run.history.filter((entry) => entry.kind === 'connected').find((entry) => entry.socketId === socketId)?.userId;
}

/** The join that had no answer yet when the frame came. */
export function openQuestion(run: SimulatedRun, frame: Received): Joining | null {
  const before = seatOf(run, frame).filter((entry) => run.history.indexOf(entry) < run.history.indexOf(frame));
  const last = before.findLast(({ kind }) => kind === 'joining' || kind === 'joined' || kind === 'join-refused');
  return last?.kind === 'joining' ? last : null;
}

/** What comes next for this socket and this room. */
export function nextOfSeat(run: SimulatedRun, frame: Received): HistoryEntry | undefined {
  const seat = seatOf(run, frame);
  return seat[seat.indexOf(frame) + 1];
}

/** Whether anybody can see that the frame has not come: not, where the same one came before or comes again for being asked anew. */
export function isMissed(run: SimulatedRun, frame: Received): boolean {
  const { version } = placeOf(frame);
  const seat = seatOf(run, frame);
  const before = seat.slice(0, seat.indexOf(frame));
  if (before.some((entry) => entry.kind === 'received' && placeOf(entry).version === version)) return false;
  const next = nextOfSeat(run, frame);
  if (next?.kind === 'joined') return next.version >= version;
  if (next?.kind === 'received') {
    const isNext = next.event !== SERVER_FRAMES.recentMessages && placeOf(next).version === version + 1;
    return isNext && openQuestion(run, next)?.after !== version;
  }
  const lastAnswer = seat.findLast(({ kind }) => kind === 'joined' || kind === 'join-refused');
  return next === undefined && lastAnswer?.kind === 'joined';
}

/** All that happened between a socket and a room, up to the socket's end. */
function seatOf(run: SimulatedRun, frame: Received): HistoryEntry[] {
  const { roomId } = placeOf(frame);
  return run.history.filter((entry) => {
    if (!('socketId' in entry) || entry.socketId !== frame.socketId || entry.kind === 'connected') return false;
    if (entry.kind === 'disconnected') return true;
    return (entry.kind === 'received' ? placeOf(entry).roomId : entry.roomId) === roomId;
  });
}

function isLater(event: ChatEvent, than: ChatEvent): boolean {
  return event.roomId === than.roomId && event.metadata.version > than.metadata.version;
}

// Changing: each says whether there was something to change.

export function remove<Item>(items: Item[], item: Item | undefined): boolean {
  return item !== undefined && items.splice(items.indexOf(item), 1).length > 0;
}

export function alter<Item>(item: Item | undefined, change: (item: Item) => unknown): boolean {
  if (item !== undefined) change(item);
  return item !== undefined;
}

/** Changes one field, however deep. */
export function alterOne(object: unknown, pick: Pick): void {
  const fields = object as Record<string, unknown>;
  const key = pick(Object.keys(fields)) ?? '';
  const value = fields[key];
  if (typeof value === 'object' && value !== null) alterOne(value, pick);
  else if (typeof value === 'number') fields[key] = value + 1;
  else if (typeof value === 'boolean') fields[key] = !value;
  else fields[key] = value === null ? 'something' : `${String(value)}!`;
}

export function swap<Item>(left: Item, right: Item, keys: readonly (keyof Item)[]): void {
  for (const key of keys) [left[key], right[key]] = [right[key], left[key]];
}

export function insertAfter<Entry extends HistoryEntry>(
  run: SimulatedRun,
  entry: Entry | undefined,
  make: (entry: Entry) => HistoryEntry | null,
): boolean {
  const made = entry === undefined ? null : make(entry);
  if (entry === undefined || made === null) return false;
  run.history.splice(run.history.indexOf(entry) + 1, 0, structuredClone(made));
  return true;
}

/** The frame of any event of the room. */
export function frameFor(run: SimulatedRun, place: { socketId: string; roomId: string }, pick: Pick): Received | null {
  const logged = pick(eventsOf(run, place.roomId));
  if (logged === undefined) return null;
  return { kind: 'received', at: 0, socketId: place.socketId, ...expectedFrame(logged.event) };
}

/** The event once more, at the end of the log. */
export function append(run: SimulatedRun, event: ChatEvent): boolean {
  const partition = eventsOf(run, event.roomId)[0]?.partition ?? 0;
  const offset = run.log.heads.get(partition) ?? 0;
  run.log.events.push({ partition, offset, key: event.metadata.stream, event: structuredClone(event) });
  run.log.heads.set(partition, offset + 1);
  run.checkpoints.set(partition, offset + 1);
  return true;
}

/** History and cache follow what was done to the log. */
export function project(run: SimulatedRun): boolean {
  Object.assign(run, projectionsOf(run.log));
  return true;
}

/** The messages stand, and were told to stand, where the other one did. */
export function changePlaces(run: SimulatedRun, pair: Pair | undefined): boolean {
  if (pair === undefined) return false;
  const { first, second } = pair;
  swap(first.logged, second.logged, ['event']);
  swap(first.logged.event.metadata, second.logged.event.metadata, ['version']);
  swap(first.answer, second.answer, ['version', 'position']);
  return project(run);
}
