// Writes the history of a run to a file, one JSON line an entry, and counts what the report tells.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import type { HistoryEntry } from './history.ts';

export type HistoryCounts = {
  entries: number;
  invoked: number;
  accepted: number;
  refused: number;
  lost: number;
  received: number;
  /** Begun, by name. */
  faults: ReadonlyMap<string, number>;
  /** Milliseconds of the longest time in which no command was accepted. */
  longestSilenceMs: number;
};

/** Entries waiting for the disk, in bytes; above it clients wait before their next command. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;

export class HistoryWriter {
  readonly path: string;
  readonly #stream;
  readonly #faults = new Map<string, number>();
  readonly #counts = { entries: 0, invoked: 0, accepted: 0, refused: 0, lost: 0, received: 0, longestSilenceMs: 0 };
  #lastAcceptedAt: number | undefined;
  #drained: Promise<unknown> | undefined;

  constructor(path: string) {
    this.path = path;
    this.#stream = createWriteStream(path, { highWaterMark: MAX_WAITING_BYTES });
  }

  /** Milliseconds since 1970 by a clock that never goes back, so that logs of the processes can be laid beside it. */
  now(): number {
    return Math.round((performance.timeOrigin + performance.now()) * 1_000) / 1_000;
  }

  /** In the order of the calls. */
  record(entry: HistoryEntry): void {
    this.#count(entry);
    if (this.#stream.write(`${JSON.stringify(entry)}\n`)) return;
    this.#drained ??= once(this.#stream, 'drain').finally(() => {
      this.#drained = undefined;
    });
  }

  /** Resolves when the disk has caught up. */
  async roomForMore(): Promise<void> {
    await this.#drained;
  }

  get counts(): HistoryCounts {
    return { ...this.#counts, faults: this.#faults };
  }

  /** Milliseconds since a command was accepted last. */
  get silenceMs(): number {
    return this.#lastAcceptedAt === undefined ? 0 : this.now() - this.#lastAcceptedAt;
  }

  async close(): Promise<void> {
    this.#stream.end();
    if (!this.#stream.writableFinished) await once(this.#stream, 'finish');
  }

  #count(entry: HistoryEntry): void {
    const counts = this.#counts;
    counts.entries += 1;
    switch (entry.kind) {
      case 'accepted':
        counts.accepted += 1;
        counts.longestSilenceMs = Math.max(counts.longestSilenceMs, entry.at - (this.#lastAcceptedAt ?? entry.at));
        this.#lastAcceptedAt = entry.at;
        break;
      case 'invoked':
      case 'refused':
      case 'lost':
      case 'received':
        counts[entry.kind] += 1;
        break;
      case 'fault':
        if (entry.phase === 'begin') this.#faults.set(entry.fault, (this.#faults.get(entry.fault) ?? 0) + 1);
        break;
      // These are for the checker alone.
      case 'connected':
      case 'disconnected':
      case 'joining':
      case 'joined':
      case 'join-refused':
      case 'left-room':
        break;
      default:
        entry satisfies never;
    }
  }
}
