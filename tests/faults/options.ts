// The command line of the fault suite.
import { parseArgs } from 'node:util';
import type { WayName } from './cluster/cluster.ts';
import type { FaultKind } from './nemesis/fault.ts';
import { FAULT_KINDS } from './nemesis/nemesis.ts';
import { LONG_MINUTES } from './suite.ts';

export type FaultOptions = {
  way: WayName;
  minutes: number;
  seed: string;
  kinds: readonly FaultKind[];
  /** Keep the history although nothing was found. */
  keep: boolean;
  /** Undefined: no bug is planted. Empty: every bug, one after the other. */
  planted: string | undefined;
};

/** What was asked for makes no sense; the message says what does. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly code = 'usage';
  readonly retryable = false;
}

const DEFAULT_MINUTES = 5;
const MAX_MINUTES = 24 * 60;

export const HELP = `npm run test:faults -- [options]

Starts a cluster of real processes, breaks it in random order under load, and checks afterwards that every promise was kept.

  --minutes N       how long things are broken (${DEFAULT_MINUTES}); from ${LONG_MINUTES} on faults last longer
  --way W           kafka: seven processes on Kafka, PostgreSQL and Redis (the default); postgres: two processes on PostgreSQL
  --seed S          the order of things; printed at the start of every run
  --faults a,b      only these: ${FAULT_KINDS.map(({ name }) => name).join(', ')}
  --keep            keep the history and the logs also where nothing was found
  --planted [name]  run with bugs on purpose, and show that each is found
  --help

Ends with 0: all promises were kept; 1: not all; 2: this was not understood; 3: the cluster could not be started.
`;

/** Null: help is wanted. Throws UsageError. */
export function readOptions(args: readonly string[], newSeed: () => string): FaultOptions | null {
  const values = parse(args);
  if (values.help === true) return null;
  const minutes = Number(values.minutes ?? DEFAULT_MINUTES);
  if (!(minutes > 0 && minutes <= MAX_MINUTES))
    throw new UsageError(`--minutes must be above 0 and at most ${MAX_MINUTES}`);
  const way = values.way ?? 'kafka';
  if (way !== 'kafka' && way !== 'postgres') throw new UsageError('--way must be kafka or postgres');
  const names = values.faults?.split(',') ?? FAULT_KINDS.map(({ name }) => name);
  const kinds = names.map((name) => {
    const kind = FAULT_KINDS.find((one) => one.name === name);
    if (!kind)
      throw new UsageError(`there is no fault ${name}; there are ${FAULT_KINDS.map((one) => one.name).join(', ')}`);
    return kind;
  });
  return { way, minutes, seed: values.seed ?? newSeed(), kinds, keep: values.keep === true, planted: values.planted };
}

function parse(args: readonly string[]) {
  // The name behind --planted may be left out, which parseArgs has no word for.
  const given = args.flatMap((arg, index) => {
    const next = args[index + 1];
    return arg === '--planted' && (next === undefined || next.startsWith('--')) ? ['--planted='] : [arg];
  });
  try {
    return parseArgs({
      args: given,
      options: {
        minutes: { type: 'string' },
        seed: { type: 'string' },
        way: { type: 'string' },
        faults: { type: 'string' },
        keep: { type: 'boolean' },
        planted: { type: 'string' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
