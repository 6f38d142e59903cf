// The adversary: breaks one thing after the other, in an order by chance, and gives the system time to come to itself in between.
import { setTimeout as delay } from 'node:timers/promises';
import type { HistoryWriter } from '../history-writer.ts';
import type { Random } from '../random.ts';
import type { Fault, FaultDeps, FaultKind } from './fault.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { PROCESS_FAULTS } from './process-faults.ts';
import { SERVER_FAULTS } from './server-faults.ts';

export const FAULT_KINDS: readonly FaultKind[] = [...PROCESS_FAULTS, ...SERVER_FAULTS, ...NETWORK_FAULTS];

export type NemesisOptions = Omit<FaultDeps, 'random'> & {
  kinds: readonly FaultKind[];
  history: HistoryWriter;
  random: Random;
  /** No fault begins later, by performance.now(). */
  until: number;
  signal: AbortSignal;
};

/** How long a system that is whole again may take until all of it works; longer is a violation. */
const RECOVER_MS = 60_000;
const LOOK_MS = 100;
/** Commands that have to be accepted before the next fault, so that there is something to break. */
const FRESH_COMMANDS = 20;
const TWO_AT_A_TIME = 0.15;
const REST_MS = [300, 2_000] as const;

/** Resolves when the time is over and everything has been put right; with how long the system took to recover, by fault. */
export async function runNemesis(options: NemesisOptions): Promise<Map<string, number[]>> {
  const { kinds, random, until, signal, onProgress } = options;
  const recoveries = new Map<string, number[]>();
  let deck: FaultKind[] = [];
  while (performance.now() < until && !signal.aborted) {
    const faults: Fault[] = [];
    const wanted = random.chance(TWO_AT_A_TIME) ? 2 : 1;
    for (let tries = 0; faults.length < wanted && tries < kinds.length; tries += 1) {
      if (deck.length === 0) deck = random.shuffle(kinds);
      const fault = deck.pop()?.make(options);
      if (fault) faults.push(fault);
    }
    if (faults.length === 0) return recoveries;
    await Promise.all(faults.map((fault, index) => commit(fault, index * random.int(0, 1_000), options)));
    const tookMs = await untilWorking(options, faults);
    const name = faults.map((fault) => fault.name).join('+');
    recoveries.set(name, [...(recoveries.get(name) ?? []), tookMs]);
    onProgress(`${name}: works again after ${(tookMs / 1_000).toFixed(1)} s`);
    await delay(random.int(...REST_MS));
  }
  return recoveries;
}

async function commit(fault: Fault, afterMs: number, { history, onProgress }: NemesisOptions): Promise<void> {
  const { name, target, lastsMs } = fault;
  await delay(afterMs);
  onProgress(`${name}: ${target}${lastsMs > 0 ? `, for ${(lastsMs / 1_000).toFixed(1)} s` : ''}`);
  history.record({ kind: 'fault', at: history.now(), fault: name, target, phase: 'begin' });
  try {
    await fault.begin();
    await delay(lastsMs);
  } finally {
    await fault.end();
    history.record({ kind: 'fault', at: history.now(), fault: name, target, phase: 'end' });
  }
}

/** Milliseconds until every process is ready and commands are accepted. */
export async function untilWorking(
  { cluster, history, onViolation, signal }: Pick<NemesisOptions, 'cluster' | 'history' | 'onViolation' | 'signal'>,
  faults: readonly Pick<Fault, 'name' | 'target'>[],
): Promise<number> {
  const startedAt = performance.now();
  const acceptedBefore = history.counts.accepted;
  let notReady: string[] = [];
  while (performance.now() - startedAt < RECOVER_MS && !signal.aborted) {
    const states = await Promise.all(
      cluster.processes.map(async ({ process }) => ({ name: process.name, ...(await process.readiness()) })),
    );
    notReady = states.filter(({ isReady }) => !isReady).map(({ name, text }) => `${name}: ${text}`);
    const fresh = history.counts.accepted - acceptedBefore;
    if (notReady.length === 0 && fresh >= FRESH_COMMANDS) return performance.now() - startedAt;
    if (notReady.length === 0) notReady = [`only ${fresh} commands were accepted`];
    await delay(LOOK_MS);
  }
  if (!signal.aborted) {
    const what = faults.map(({ name, target }) => `${name} (${target})`).join(' and ');
    onViolation(`${RECOVER_MS / 1_000} s after ${what} not all works again: ${notReady.join('; ')}`);
  }
  return performance.now() - startedAt;
}
