// How far a fold is that a verb waits for, on stderr; with --json nothing is shown.
import type { OffsetVector } from '../../projections/replay/live-vector.ts';
import { type Progress, showProgress } from '../progress.ts';
import type { Output } from './output.ts';

export type FoldProgress = {
  begin(vector: OffsetVector): void;
  add(chunk: { from: number; to: number }): void;
  stop(): void;
};

/** Counts offsets, of which the log says beforehand how many they are; a void record is one too. */
export function showFold(out: Output): FoldProgress {
  let shown: Progress | undefined;
  let done = 0;
  return {
    begin(vector) {
      const total = [...vector.values()].reduce((sum, offset) => sum + offset, 0);
      if (out.json) return;
      const read = () => ({ done: Math.min(done, total), refused: 0 });
      shown = showProgress({ out: out.stderr, total, read, now: () => performance.now() });
    },
    add({ from, to }) {
      done += to - from;
    },
    stop() {
      shown?.stop();
      shown = undefined;
    },
  };
}
