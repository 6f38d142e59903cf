// The read side's history in memory, as far as the socket nodes ask it: folds the log, can be held back as a projection that is
// behind, and answers with what it has got to.
import type { RoomChange, RoomSnapshot, RoomSource } from '../../realtime/rooms/room-source.ts';
import { subjectOf } from '../../schemas/commands.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { messageView, toTimestamp } from '../../schemas/views.ts';

type Projected = { partition: number; nextOffset: number; event: ChatEvent };

export class MemoryHistory implements RoomSource {
  readonly #eventsByRoom = new Map<string, ChatEvent[]>();
  readonly #partitionByRoom = new Map<string, number>();
  readonly #checkpoints = new Map<number, number>();
  readonly #waiting: Projected[] = [];
  #isHeld = false;
  #isAway = false;
  /** How often each question was asked. */
  readonly asked = { roomSnapshot: 0, eventsAfter: 0, checkpoints: 0 };

  /** The next event of the log; folded in at once unless history is held back. */
  project(partition: number, nextOffset: number, event: ChatEvent): void {
    this.#waiting.push({ partition, nextOffset, event });
    if (!this.#isHeld) this.advance(this.#waiting.length);
  }

  /** From now on history stays behind the log, until `advance` or `release`. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Folds in the next events of those that wait. */
  advance(count: number): void {
    for (const { partition, nextOffset, event } of this.#waiting.splice(0, count)) {
      const events = this.#eventsByRoom.get(event.roomId) ?? [];
      this.#eventsByRoom.set(event.roomId, events);
      this.#partitionByRoom.set(event.roomId, partition);
      events.push(event);
      this.#checkpoints.set(partition, nextOffset);
    }
  }

  release(): void {
    this.#isHeld = false;
    this.advance(this.#waiting.length);
  }

  /** From now on no question is answered, until `comeBack`. */
  goAway(): void {
    this.#isAway = true;
  }

  comeBack(): void {
    this.#isAway = false;
  }

  async roomSnapshot(roomId: string): Promise<RoomSnapshot | null> {
    this.#ask('roomSnapshot');
    const events = this.#eventsByRoom.get(roomId);
    return events ? this.#snapshot(roomId, events) : null;
  }

  async eventsAfter(roomId: string, after: number, limit: number): Promise<readonly RoomChange[]> {
    this.#ask('eventsAfter');
    return (this.#eventsByRoom.get(roomId) ?? []).slice(after, after + limit).map((event) => {
      const { version } = event.metadata;
      return event.type === 'MessageSent' ? { version, message: messageView(event) } : { version, event };
    });
  }

  async checkpoints(): Promise<ReadonlyMap<number, number>> {
    this.#ask('checkpoints');
    return new Map(this.#checkpoints);
  }

  #ask(question: keyof MemoryHistory['asked']): void {
    this.asked[question] += 1;
    if (this.#isAway) throw new Error('history is away');
  }

  #snapshot(roomId: string, events: readonly ChatEvent[]): RoomSnapshot | null {
    const [created] = events;
    if (created?.type !== 'RoomCreated') return null;
    const owner = subjectOf(created.metadata);
    const createdAt = toTimestamp(created.metadata.occurredAt);
    const members = new Map([[owner.userId, { ...owner, role: 'owner' as const, joinedAt: createdAt }]]);
    const rest = new Map<string, { userId: string; username: string; role: 'member'; joinedAt: string }>();
    for (const event of events) {
      if (event.type === 'MemberJoined') {
        const { userId, username } = event;
        rest.set(userId, { userId, username, role: 'member', joinedAt: toTimestamp(event.metadata.occurredAt) });
      }
      if (event.type === 'MemberLeft' && !members.delete(event.userId)) rest.delete(event.userId);
    }
    const version = events.length;
    const { spaceId, name, description, isPrivate } = created;
    const room = { id: roomId, name, description, roomid: spaceId, spaceId, isPrivate, ownerId: owner.userId };
    const all = [...members.values(), ...rest.values()];
    const archived = events.some(({ type }) => type === 'RoomArchived');
    return {
      room: { ...room, memberCount: all.length, archived, createdAt, version },
      members: all,
      messages: events
        .filter((event) => event.type === 'MessageSent')
        .slice(-LIMITS.pageMessages)
        .map(messageView),
      version,
      checkpoint: this.#checkpoints.get(this.#partitionByRoom.get(roomId) ?? 0) ?? 0,
    };
  }
}
