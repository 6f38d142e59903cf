// What a node knows of one room: a snapshot with every later event folded in. Stale state and events make fresh state; this is
// the only place where they do on this node.
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import { type EncodedFrame, encodeFrame, encodeFrameJson, type FrameBatch } from '../frames/encoded-frame.ts';
import { FrameRing, type RingBounds } from '../frames/frame-ring.ts';
import { messageToFrame, toFrame } from '../frames/to-frame.ts';
import { membershipChange } from './membership.ts';
import type { RoomChange, RoomSnapshot } from './room-source.ts';

/** What a change does to the sockets of the room: its frame, and whose sockets may hear nothing after it. */
export type Applied = { frame: EncodedFrame | null; leavingUserId: string | null };

export class RoomState {
  readonly roomId: string;
  readonly #ring: FrameRing;
  readonly #members: Set<string>;
  /** Newest messages as JSON, ascending. */
  readonly #recent: string[];
  #recentFrame: EncodedFrame | null = null;
  /**
   * The end of #recent as the snapshot had it, where no other event lies between those messages and the snapshot's version. The
   * ring gets them when somebody comes back who has missed them: a room that nobody comes back to does not keep them twice.
   */
  #denseEnd: { begin: number; end: number; version: number } | null;

  constructor(snapshot: RoomSnapshot, ringBounds: RingBounds = BOUNDS) {
    this.roomId = snapshot.room.id;
    this.#ring = new FrameRing(snapshot.version, ringBounds);
    this.#members = new Set(snapshot.members.map((member) => member.userId));
    const messages = snapshot.messages.slice(-BOUNDS.recentMessages);
    this.#recent = messages.map((message) => JSON.stringify(message));
    const { length } = messages;
    const isDense = (at: number): boolean => messages[at]?.version === snapshot.version - (length - 1 - at);
    const lastOther = messages.findLastIndex((_, at) => !isDense(at));
    this.#denseEnd = { begin: lastOther + 1, end: length, version: snapshot.version };
  }

  get version(): number {
    return this.#ring.version;
  }

  /** The frames of all versions after that one, or null where only history has them. */
  framesAfter(version: number): FrameBatch | null {
    if (version < this.#ring.reachesBackTo) this.#extendRing();
    return this.#ring.after(version);
  }

  isMember(userId: string): boolean {
    return this.#members.has(userId);
  }

  /** The newest messages and the version they belong to; encoded once as long as nothing happens, for the storm of a restart. */
  recentMessagesFrame(): EncodedFrame {
    if (this.#recentFrame === null) {
      const messages = this.#recent.slice(-LIMITS.pageMessages).join(',');
      const json = `{"roomId":${JSON.stringify(this.roomId)},"messages":[${messages}],"version":${this.version}}`;
      this.#recentFrame = encodeFrameJson(SERVER_FRAMES.recentMessages, json, this.version);
    }
    return this.#recentFrame;
  }

  /** Folds in the change right above the room's version. */
  apply(change: RoomChange): Applied {
    const frame = changeToFrame(change);
    this.#ring.push(change.version, frame);
    this.#recentFrame = null;
    if (frame?.name === SERVER_FRAMES.receiveMessage) {
      this.#recent.push(frame.json);
      if (this.#recent.length > BOUNDS.recentMessages) {
        this.#recent.shift();
        this.#denseEnd = null;
      }
    }
    return { frame, leavingUserId: 'event' in change ? this.#applyMembership(change.event) : null };
  }

  #extendRing(): void {
    if (this.#denseEnd === null) return;
    const { begin, end, version } = this.#denseEnd;
    this.#denseEnd = null;
    // Unless what came right after the snapshot has gone from it already.
    if (this.#ring.reachesBackTo !== version) return;
    const first = version - (end - begin) + 1;
    const frames = this.#recent
      .slice(begin, end)
      .map((json, index) => encodeFrameJson(SERVER_FRAMES.receiveMessage, json, first + index));
    this.#ring.extendBack(frames);
  }

  #applyMembership(event: ChatEvent): string | null {
    const change = membershipChange(event);
    if (change === null) return null;
    if (change.isMember) this.#members.add(change.userId);
    else this.#members.delete(change.userId);
    return change.isMember ? null : change.userId;
  }
}

export function changeToFrame(change: RoomChange): EncodedFrame | null {
  const frame = 'message' in change ? messageToFrame(change.message) : toFrame(change.event);
  return frame === null ? null : encodeFrame(frame.event, frame.data, change.version);
}

/**
 * The changes right above that version, up to the first one that is missing. History is dense, so one is missing only where the
 * projection has parked the room's stream; then the caller waits and says projection_behind.
 */
export function changesRightAbove(changes: readonly RoomChange[], version: number): RoomChange[] {
  const newer = changes.filter((change) => change.version > version);
  const gap = newer.findIndex((change, index) => change.version !== version + 1 + index);
  return gap === -1 ? newer : newer.slice(0, gap);
}
