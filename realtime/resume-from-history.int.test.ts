// Resuming on real parts: the log and the history in PostgreSQL, far more missed than a node remembers, and somebody speaks meanwhile.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import { WebSocket } from 'ws';
import { partitionOf } from '../event-log/partition-of.ts';
import { streamOfRoom } from '../schemas/commands.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../schemas/wire.ts';
import { made, roomHistory } from '../tests/support/chat-events.ts';
import { openProjectedLog, type ProjectedLog } from '../tests/support/projected-log.ts';
import { type RealtimeNode, RealtimeWorld } from '../tests/support/realtime-world.ts';
import { BOUNDS } from './bounds.ts';
import type { RoomSource } from './rooms/room-source.ts';

const ROOM = 'far-behind';
const EVENTS = 30_000;
const APPEND = 1_000;

/** A client that keeps nothing but where it is: `version` moves only when the next one comes. */
class Reader {
  readonly #socket: WebSocket;
  version: number;
  fault: string | null = null;
  answer: Record<string, unknown> | null = null;
  /** What the client had when the answer came. */
  versionAtAnswer = 0;
  readonly #done = Promise.withResolvers<void>();
  #target = Number.POSITIVE_INFINITY;

  constructor(url: string, token: string, after: number) {
    this.version = after;
    this.#socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` }, perMessageDeflate: false });
    this.#socket.on('open', () => {
      this.#socket.send(JSON.stringify({ event: CLIENT_FRAMES.joinRoom, data: { roomId: ROOM, after }, ref: 1 }));
    });
    this.#socket.on('message', (data: Buffer) => this.#take(JSON.parse(data.toString('utf8'))));
    this.#socket.on('close', (code) => {
      this.fault ??= `closed with ${code}`;
      this.#look();
    });
  }

  async reaches(version: number): Promise<void> {
    this.#target = version;
    this.#look();
    await this.#done.promise;
    assert.equal(this.fault, null);
    assert.equal(this.version, version);
  }

  #look(): void {
    if (this.version >= this.#target || this.fault !== null) this.#done.resolve();
  }

  close(): void {
    this.#socket.terminate();
  }

  #take(frame: { event?: string; ref?: number; data: Record<string, unknown> }): void {
    if (frame.ref !== undefined) {
      this.answer = frame.data;
      this.versionAtAnswer = this.version;
    } else if (typeof frame.data.version === 'number' && frame.event !== SERVER_FRAMES.heartbeat) {
      if (frame.data.version === this.version + 1) this.version += 1;
      else this.fault ??= `${frame.data.version} came after ${this.version}`;
      this.#look();
    }
  }
}

describe('resuming from PostgreSQL', () => {
  let projected: ProjectedLog;
  let world: RealtimeWorld;
  let node: RealtimeNode;
  const room = roomHistory(ROOM);
  const reads = { roomSnapshot: 0, eventsAfter: 0, checkpoints: 0 };

  before(async function () {
    this.timeout(60_000);
    projected = await openProjectedLog('resume');
    world = new RealtimeWorld(projected.log, projected.codec, {});
    const first = [room.next('ada', made.room()), room.next('ada', made.joined('bob'))];
    await append(first.map((event) => projected.codec.encode(event)));
    for (let from = first.length; from < EVENTS; from += APPEND) await say(Math.min(APPEND, EVENTS - from));
    await projected.project();
    node = await world.openNode({ source: counted(projected.queries) });
  });

  after(async () => {
    await world.close();
    await projected.close();
  });

  async function append(values: Buffer[]): Promise<void> {
    const stream = streamOfRoom(ROOM);
    const partition = partitionOf(stream, projected.log.partitions);
    const head = await projected.log.head(partition);
    const outcome = await projected.log.append(
      partition,
      head,
      values.map((value) => ({ key: stream, value })),
    );
    assert.equal(outcome.kind, 'appended');
  }

  function say(count: number): Promise<void> {
    return append(Array.from({ length: count }, () => projected.codec.encode(room.next('ada', made.said(TEXT)))));
  }

  function counted(source: RoomSource): RoomSource {
    return {
      roomSnapshot: (roomId) => count('roomSnapshot', () => source.roomSnapshot(roomId)),
      eventsAfter: (...range) => count('eventsAfter', () => source.eventsAfter(...range)),
      checkpoints: () => count('checkpoints', () => source.checkpoints()),
    };
  }

  function count<Answer>(question: keyof typeof reads, ask: () => Promise<Answer>): Promise<Answer> {
    reads[question] += 1;
    return ask();
  }

  it(`RT-40 RT-42 RT-52 sockets that missed up to ${EVENTS} events get each once, by one read a block`, async () => {
    // All of it, half of it, and what the room is loaded with; four of each.
    const behind = [EVENTS, EVENTS, EVENTS / 2, 300, 50, 7].flatMap((missed) => [missed, missed, missed, missed]);
    const readers = behind.map((missed) => new Reader(node.url, world.token('bob'), EVENTS - missed));
    try {
      for (let live = 0; live < 20; live++) await say(5);
      await Promise.all(readers.map((reader) => reader.reaches(EVENTS + 100)));
      for (const { answer, versionAtAnswer } of readers) {
        assert.equal(answer?.recovered, true);
        assert.equal(versionAtAnswer, answer.version, 'all up to the version of the answer came before it');
      }
      assert.equal(reads.roomSnapshot, 1);
      assert.equal(reads.checkpoints, 1);
      const blocks = Math.ceil(EVENTS / BOUNDS.blockEvents);
      assert.ok(reads.eventsAfter <= blocks + 2, `${reads.eventsAfter} reads of ${blocks} blocks`);
    } finally {
      for (const reader of readers) reader.close();
    }
  }).timeout(60_000);
});

const TEXT = 'x'.repeat(100);
