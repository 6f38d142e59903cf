// What a room must look like after each of its events, told event by event and in memory: on purpose not the fold that writes the
// tables, so that the two can be held against each other.
import { subjectOf } from '../../schemas/commands.ts';
import type { ChatEvent, MessageSent } from '../../schemas/generated/events.ts';
import { messageView } from '../../schemas/views.ts';
import type { MessageView } from '../../schemas/wire.ts';

type Member = { username: string; joinedAtMs: number; offset: number };
type Invitation = { invitedBy: string; invitedAtMs: number; offset: number };
/** A row as PostgreSQL gives it in JSON. */
export type ExpectedRow = Record<string, string | number | boolean | null | object>;

/** Newest messages that are kept, for the hot cache: more than it has, because it may be some versions behind. */
const KEPT_MESSAGES = 2_000;

export class ExpectedRoom {
  readonly #roomId: string;
  readonly #partition: number;
  #details: {
    spaceId: string;
    name: string;
    description: string;
    isPrivate: boolean;
    owner: string;
    atMs: number;
  } | null = null;
  #isArchived = false;
  readonly members = new Map<string, Member>();
  readonly invitations = new Map<string, Invitation>();
  /** Every coming and going, in order. */
  readonly memberChanges: { version: number; userId: string; isMember: boolean }[] = [];
  #newest: MessageView[] = [];
  #messages = 0;
  version = 0;
  /** Of the last event. */
  offset = -1;

  constructor(roomId: string, partition: number) {
    this.#roomId = roomId;
    this.#partition = partition;
  }

  /** The next event; versions are the caller's to check. */
  apply(event: ChatEvent, offset: number): void {
    this.version = event.metadata.version;
    this.offset = offset;
    const atMs = event.metadata.occurredAt;
    switch (event.type) {
      case 'RoomCreated': {
        const { spaceId, name, description, isPrivate } = event;
        const owner = subjectOf(event.metadata);
        this.#details = { spaceId, name, description, isPrivate, owner: owner.userId, atMs };
        this.#join(owner.userId, owner.username, atMs);
        return;
      }
      case 'RoomDetailsEdited':
        if (this.#details !== null) this.#details = { ...this.#details, ...event.after };
        return;
      case 'RoomArchived':
        this.#isArchived = true;
        return;
      case 'MemberInvited':
        // Who was invited already stays invited as they were.
        if (this.invitations.has(event.userId)) return;
        this.invitations.set(event.userId, { invitedBy: subjectOf(event.metadata).userId, invitedAtMs: atMs, offset });
        return;
      case 'MemberJoined':
        this.#join(event.userId, event.username, atMs);
        this.invitations.delete(event.userId);
        return;
      case 'MemberLeft':
        this.members.delete(event.userId);
        this.memberChanges.push({ version: this.version, userId: event.userId, isMember: false });
        return;
      case 'MessageSent':
        this.#messages += 1;
        this.#newest.push(messageView(event));
        if (this.#newest.length >= KEPT_MESSAGES * 2) this.#newest = this.#newest.slice(-KEPT_MESSAGES);
        return;
      default:
        event satisfies never;
    }
  }

  /** The row of the room; null before it was created. */
  row(): ExpectedRow | null {
    if (this.#details === null) return null;
    const { spaceId, name, description, isPrivate, owner, atMs } = this.#details;
    return {
      room_id: this.#roomId,
      partition: this.#partition,
      version: this.version,
      space_id: spaceId,
      name,
      description,
      is_private: isPrivate,
      owner_id: owner,
      member_count: this.members.size,
      archived: this.#isArchived,
      created_at_ms: atMs,
    };
  }

  /** Who of all that ever were members is one at that version. */
  membersAt(version: number): Map<string, boolean> {
    const changes = this.memberChanges.filter((change) => change.version <= version);
    return new Map(changes.map(({ userId, isMember }) => [userId, isMember]));
  }

  /** The newest messages at that version, as far as they are kept, and whether these are all that the room had. */
  newestAt(version: number): { messages: MessageView[]; areAll: boolean } {
    return {
      messages: this.#newest.filter((message) => message.version <= version),
      areAll: this.#messages === this.#newest.length,
    };
  }

  #join(userId: string, username: string, joinedAtMs: number): void {
    // Who is a member already stays one since they joined.
    if (!this.members.has(userId)) this.members.set(userId, { username, joinedAtMs, offset: this.offset });
    this.memberChanges.push({ version: this.version, userId, isMember: true });
  }
}

export function messageRow(event: MessageSent): ExpectedRow {
  const { metadata } = event;
  const sender = subjectOf(metadata);
  const operator = metadata.onBehalfOf === null ? null : metadata.actor;
  return {
    room_id: event.roomId,
    version: metadata.version,
    message_id: event.messageId,
    text: event.text,
    user_id: sender.userId,
    username: sender.username,
    operator_id: operator?.userId ?? null,
    operator_name: operator?.username ?? null,
    reply_to: event.replyTo,
    original_time_ms: event.originalTime,
    occurred_at_ms: metadata.occurredAt,
    command_id: metadata.commandId,
  };
}
