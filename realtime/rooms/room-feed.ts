/* One room on this node: its state, and the sessions that have joined it.
 *
 * The law (rooms/room-feed.prop.test.ts): whatever the order in which the snapshot is read, events arrive and sessions join, each
 * session gets, after the version that it was told or that it asked for, every later version exactly once and in order.
 *
 * - While the snapshot is read, events queue. The snapshot is good only when it holds all that the tail had seen before the room
 *   began to listen; then the queued events above its version are applied, and from there on joining touches memory only.
 * - A session is either live, and gets each turn's frames, or resuming, and gets missed frames from the ring or from blocks of
 *   history until there are none left; it becomes live in the same turn in which that is found.
 * - Frames of a turn wait to be joined. They are sent before a session is let in or taken out, so that it gets neither what it
 *   already has nor what it may not see.
 */
import assert from 'node:assert/strict';
import type { Logger } from '../../platform/logger.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { isRejection, REJECTIONS, type Rejection, type RejectionCode, reject } from '../../schemas/rejections.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../../schemas/wire.ts';
import { BOUNDS } from '../bounds.ts';
import { type EncodedFrame, encodeFrame, joinFrames } from '../frames/encoded-frame.ts';
import type { RealtimeMetrics } from '../metrics.ts';
import type { TurnQueue } from '../sessions/turn-queue.ts';
import { hasRoom, isFull } from './has-room.ts';
import type { HistoryBlocks } from './history-blocks.ts';
import { type LoadDeps, loadRoom, type RoomTail } from './load-room.ts';
import type { Joined, Participant } from './participant.ts';
import type { ResumeTurns } from './resume-turns.ts';
import type { RoomChange } from './room-source.ts';
import { changesRightAbove, RoomState } from './room-state.ts';
import { type MissedEventsDeps, sendMissed } from './send-missed.ts';

export type FeedBounds = { ringFrames: number; ringBytes: number; missedPage: number; resetAfter: number };

export type RoomFeedDeps = LoadDeps & {
  tail: RoomTail;
  blocks: HistoryBlocks;
  resumeTurns: ResumeTurns;
  logger: Logger;
  turns: TurnQueue;
  metrics: RealtimeMetrics;
  /** A user's first session of this node became live, or the last one has gone. */
  onUser: (user: Participant, isHere: boolean) => void;
  /** The room cannot go on here; it has taken out all its sessions and must be forgotten. */
  onFailed: (code: RejectionCode) => void;
  /** Smaller ones in tests, which cannot send so many frames. */
  bounds?: FeedBounds;
};

type Phase = 'loading' | 'live' | 'filling' | 'closed';
/** `isCounted`: among the sessions of its user that have been live, which is what presence goes by. */
type Place = { isLive: boolean; isCounted: boolean };

export class RoomFeed {
  readonly roomId: string;
  readonly partition: number;
  readonly #deps: RoomFeedDeps;
  readonly #bounds: FeedBounds;
  readonly #sessions = new Map<Participant, Place>();
  readonly #sessionsByUser = new Map<string, number>();
  #phase: Phase = 'loading';
  #state: RoomState | null = null;
  #queue: RoomChange[] = [];
  #pending: EncodedFrame[] = [];
  #filling: Promise<void> = Promise.resolve();
  #heartbeat: { version: number; frame: EncodedFrame } | null = null;

  constructor(room: { roomId: string; partition: number }, deps: RoomFeedDeps) {
    this.roomId = room.roomId;
    this.partition = room.partition;
    this.#deps = deps;
    this.#bounds = deps.bounds ?? { ...BOUNDS, ...LIMITS };
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  get version(): number {
    return this.#state?.version ?? 0;
  }

  /**
   * Loads the room; null, or why it cannot be. Events may and must be accepted from before the call on. Its partition is held from
   * before it loads until it is closed; throws what `hold` throws, and what the source does.
   */
  async open(): Promise<Rejection | null> {
    await this.#deps.tail.hold(this.partition);
    try {
      return await this.#load();
    } finally {
      // While it loads the partition is needed even if the room has been closed; a room that never opened is not closed again.
      if (this.#state === null) this.#deps.tail.release(this.partition);
    }
  }

  close(): void {
    if (this.#phase !== 'closed' && this.#state !== null) this.#deps.tail.release(this.partition);
    this.#phase = 'closed';
    this.#queue = [];
  }

  /** The next event of the room in the log. */
  accept(event: ChatEvent): void {
    const change: RoomChange = { version: event.metadata.version, event };
    const state = this.#state;
    if (this.#phase === 'live' && state && change.version === state.version + 1) {
      this.#apply(state, change);
    } else if (this.#phase !== 'closed' && change.version > this.version) {
      this.#queue.push(change);
      if (this.#queue.length > BOUNDS.queuedEvents) this.#fail('projection_behind');
      else if (this.#phase === 'live' && state) this.#filling = this.#fillGap(state);
    }
  }

  /**
   * Lets a member's session in: from the newest messages on, or from after the version that it already has. With `reset` it begins
   * with the newest messages too where it has missed more than LIMITS.resetAfter events, or has a version that the room has not.
   */
  async join(session: Participant, after: number | undefined, reset = false): Promise<Joined | Rejection> {
    const state = this.#state;
    assert.ok(state, 'a room is joined after it has been loaded');
    if (this.#phase === 'closed') return reject('unavailable');
    do {
      if (state.isMember(session.userId) && (after ?? 0) <= state.version) continue;
      // What is known here may be older than what the caller has just been told by REST: the log's head decides.
      const behind = await this.#catchUp();
      if (behind) return behind;
      if (!state.isMember(session.userId)) return reject('not_a_member');
      if ((after ?? 0) > state.version && !reset) return reject('version_ahead');
      // A client that joins many rooms at once gets them one after the other, as it reads. Whatever happened meanwhile is looked at anew.
    } while (isFull(session.transport) && (await this.#hasRoom(session)));
    if (this.#isClosed() || !session.isOpen()) return reject('unavailable');
    const joined = { roomId: this.roomId, version: state.version };
    if (after === undefined) {
      this.#begin(state, session);
      return joined;
    }
    if (reset && (after > state.version || state.version - after > this.#bounds.resetAfter)) {
      this.#begin(state, session);
      return { ...joined, recovered: false };
    }
    return this.#resume(state, session, after);
  }

  /** Takes the session out; nothing of the room reaches it afterwards. */
  leave(session: Participant): void {
    const place = this.#sessions.get(session);
    if (!place) return;
    this.flush();
    this.#sessions.delete(session);
    if (place.isCounted) this.#countUser(session, -1);
  }

  /** To all live sessions but one user's own; not part of the room's history. */
  sendToOthers(frame: EncodedFrame, userId: string): void {
    this.sendToLive(frame, (session) => session.userId !== userId);
  }

  /** To the live sessions for which the condition holds; not part of the room's history. */
  sendToLive(frame: EncodedFrame, isMeant: (session: Participant) => boolean): void {
    for (const [session, { isLive }] of this.#sessions) {
      if (isLive && isMeant(session)) session.transport.send(frame);
    }
  }

  /** Whether the session gets what happens; one that resumes does not yet. */
  isLive(session: Participant): boolean {
    return this.#sessions.get(session)?.isLive ?? false;
  }

  hasJoined(session: Participant): boolean {
    return this.#sessions.get(session)?.isCounted ?? false;
  }

  /**
   * Tells a live session up to where it has everything, so that silence proves that nothing was said. A session that resumes is
   * told nothing, and nobody is while it cannot be told whether there is more in the log than here.
   */
  heartbeat(session: Participant): void {
    const state = this.#state;
    if (this.#phase !== 'live' || state === null || !this.#sessions.get(session)?.isLive) return;
    if (this.#deps.now() - this.#deps.tail.upToDateAt(this.partition) > BOUNDS.headKnownMs) return;
    this.flush();
    const { roomId } = this;
    const { version } = state;
    if (this.#heartbeat?.version !== version)
      this.#heartbeat = { version, frame: encodeFrame(SERVER_FRAMES.heartbeat, { roomId, version }, version) };
    session.transport.send(this.#heartbeat.frame);
  }

  /** Sends what has gathered in this turn. Called by the turn queue, and before sessions come or go. */
  flush(): void {
    if (this.#pending.length === 0) return;
    const batch = joinFrames(this.#pending);
    this.#pending = [];
    let receivers = 0;
    for (const [session, { isLive }] of this.#sessions) {
      if (!isLive) continue;
      session.transport.sendBatch(batch);
      receivers += 1;
    }
    this.#deps.metrics.delivered(batch.frames.length * receivers);
  }

  async #load(): Promise<Rejection | null> {
    if (this.#phase === 'closed') return reject('projection_behind');
    const snapshot = await loadRoom(this, ({ version }) => this.#queueJoinsUp(version), this.#deps);
    if (this.#isClosed()) return reject('projection_behind');
    if (isRejection(snapshot)) {
      this.#phase = 'closed';
      return snapshot;
    }
    this.#state = new RoomState(snapshot, this.#bounds);
    this.#applyQueue(this.#state);
    this.#phase = 'live';
    // A version between the queued ones was not in the tail; whoever joins meanwhile has everything up to there.
    if (this.#queue.length > 0) this.#filling = this.#fillGap(this.#state);
    return null;
  }

  #queueJoinsUp(version: number): boolean {
    const first = this.#queue.find((change) => change.version > version);
    return first === undefined || first.version === version + 1;
  }

  #applyQueue(state: RoomState): void {
    const changes = changesRightAbove(this.#queue, state.version);
    for (const change of changes) this.#apply(state, change);
    this.#queue = this.#queue.filter((change) => change.version > state.version);
  }

  #apply(state: RoomState, change: RoomChange): void {
    const { frame, leavingUserId } = state.apply(change);
    if (frame && this.#sessions.size > 0) {
      if (this.#pending.length === 0) this.#deps.turns.addRoom(this);
      this.#pending.push(frame);
      this.#deps.turns.grew(frame.wsBytes.length);
    }
    if (leavingUserId !== null) this.#takeOut((session) => session.userId === leavingUserId);
  }

  #takeOut(isLeaving: (session: Participant) => boolean): void {
    for (const session of [...this.#sessions.keys()].filter(isLeaving)) {
      this.leave(session);
      session.leftRoom(this.roomId);
    }
  }

  #hasRoom(session: Participant): Promise<boolean> {
    return hasRoom(session.transport, { ...this.#deps, goesOn: () => session.isOpen() && !this.#isClosed() });
  }

  #begin(state: RoomState, session: Participant): void {
    this.flush();
    session.transport.send(state.recentMessagesFrame());
    this.#letIn(session);
  }

  async #resume(state: RoomState, session: Participant, after: number): Promise<Joined | Rejection> {
    this.flush();
    const isCounted = this.hasJoined(session);
    this.#sessions.set(session, { isLive: false, isCounted });
    const deps: MissedEventsDeps = {
      ...this.#deps,
      // Taken out meanwhile: the user is no member any more, the session has ended, or the room failed.
      goesOn: () => this.#sessions.has(session) && session.isOpen(),
      letIn: () => {
        this.flush();
        this.#letIn(session);
      },
    };
    const outcome = await sendMissed(state, session, after, deps);
    if (typeof outcome === 'number') return { roomId: this.roomId, version: outcome, recovered: true };
    this.leave(session);
    if (isCounted) session.leftRoom(this.roomId);
    return state.isMember(session.userId) ? outcome : reject('not_a_member');
  }

  #letIn(session: Participant): void {
    // What was just sent to it was too much for it: it has ended, and has been taken out already.
    if (!session.isOpen()) return;
    const wasCounted = this.hasJoined(session);
    this.#sessions.set(session, { isLive: true, isCounted: true });
    if (!wasCounted) this.#countUser(session, 1);
  }

  #countUser(session: Participant, change: 1 | -1): void {
    const count = (this.#sessionsByUser.get(session.userId) ?? 0) + change;
    if (count > 0) this.#sessionsByUser.set(session.userId, count);
    else this.#sessionsByUser.delete(session.userId);
    if (count === 0 || (count === 1 && change === 1)) this.#deps.onUser(session, count === 1);
  }

  async #catchUp(): Promise<Rejection | null> {
    try {
      await this.#deps.tail.catchUp(this.partition);
    } catch (error) {
      this.#deps.logger.warn(
        { err: error, partition: this.partition },
        'it cannot be told whether a room is up to date',
      );
      return reject('unavailable');
    }
    await this.#filling;
    return null;
  }

  /** Versions are missing in the tail: a record could not be read. History may have them in another way; else the room fails. */
  async #fillGap(state: RoomState): Promise<void> {
    const { source, now, pause, logger } = this.#deps;
    this.#phase = 'filling';
    logger.error({ roomId: this.roomId, version: state.version, found: this.#queue[0]?.version }, 'a room has a gap');
    const deadline = now() + BOUNDS.snapshotMs;
    try {
      while (this.#phase === 'filling') {
        const missed = await source.eventsAfter(this.roomId, state.version, this.#bounds.missedPage);
        const changes = changesRightAbove(missed, state.version);
        for (const change of changes) this.#apply(state, change);
        this.#applyQueue(state);
        if (this.#queue.length === 0) this.#phase = this.#isClosed() ? 'closed' : 'live';
        else if (changes.length === 0 && now() >= deadline) this.#fail('projection_behind');
        else if (changes.length === 0) await pause(BOUNDS.lookAgainMs);
      }
    } catch (error) {
      logger.error({ err: error, roomId: this.roomId }, 'the gap of a room cannot be filled');
      this.#fail('unavailable');
    }
  }

  #isClosed(): boolean {
    return this.#phase === 'closed';
  }

  /** Tells all sessions that the room has stopped here; they join again, and the room is loaded anew. */
  #fail(code: RejectionCode): void {
    const wasOpen = this.#state !== null;
    this.flush();
    this.close();
    const message = REJECTIONS[code].title;
    const frame = encodeFrame(SERVER_FRAMES.error, {
      code,
      message,
      event: CLIENT_FRAMES.joinRoom,
      roomId: this.roomId,
    });
    for (const session of this.#sessions.keys()) session.transport.send(frame);
    this.#takeOut(() => true);
    if (wasOpen) this.#deps.onFailed(code);
  }
}
