// A transport in memory that remembers what it was sent, for tests of rooms and sessions.

import type { EncodedFrame, FrameBatch } from '../../realtime/frames/encoded-frame.ts';
import type { Participant } from '../../realtime/rooms/participant.ts';
import type { Transport } from '../../realtime/sessions/transport.ts';
import type { CloseName } from '../../schemas/close-codes.ts';

type HeardFrame = { name: string; data: Record<string, unknown> };

class HeardTransport implements Transport {
  readonly kind = 'ws';
  readonly frames: HeardFrame[] = [];
  closedAs: CloseName | null = null;
  queued = 0;

  send(frame: EncodedFrame): void {
    this.frames.push({ name: frame.name, data: JSON.parse(frame.json) as Record<string, unknown> });
  }

  sendBatch(batch: FrameBatch): void {
    for (const frame of batch.frames) this.send(frame);
  }

  get queuedBytes(): number {
    return this.queued;
  }

  pauseReading(): void {}
  resumeReading(): void {}

  close(name: CloseName): void {
    this.closedAs = name;
  }

  checkAlive(): void {}

  named(name: string): Record<string, unknown>[] {
    return this.frames.filter((frame) => frame.name === name).map(({ data }) => data);
  }
}

export class HeardParticipant implements Participant {
  readonly userId: string;
  readonly username: string;
  readonly transport = new HeardTransport();
  readonly leftRooms: string[] = [];
  isEnded = false;

  constructor(userId: string) {
    this.userId = userId;
    this.username = `the ${userId}`;
  }

  isOpen(): boolean {
    return !this.isEnded;
  }

  leftRoom(roomId: string): void {
    this.leftRooms.push(roomId);
  }
}
