// What can be broken. A fault is begun, lasts a while, and is ended; what it needs to be put right it does in `end`.
import type { Cluster } from '../cluster/cluster.ts';
import type { Random } from '../random.ts';

export type Fault = {
  name: string;
  /** What it hits, for the history. */
  target: string;
  /** Milliseconds between begin and end. */
  lastsMs: number;
  begin: () => Promise<void>;
  end: () => Promise<void>;
};

export type FaultDeps = {
  cluster: Cluster;
  random: Random;
  /** Of a long run: faults last longer. */
  isLong: boolean;
  onViolation: (sentence: string) => void;
  onProgress: (line: string) => void;
};

/** Makes one of its kind, of targets by chance; null where this way of running has nothing that it could hit. */
export type FaultKind = { name: string; make: (deps: FaultDeps) => Fault | null };

export async function nothing(): Promise<void> {}

/** Milliseconds by chance: from `min` to `max`, or to `longMax` in a long run. */
export function lasting({ random, isLong }: FaultDeps, min: number, max: number, longMax: number): number {
  return random.int(min, isLong ? longMax : max);
}
