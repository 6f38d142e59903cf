// What every verb gets, and how its end becomes an exit code.
import type { Exit } from './exits.ts';
import type { Resources } from './open-resources.ts';
import type { Output } from './output.ts';

export type Cli = {
  out: Output;
  /** Opened when first asked for; closed when the verb has ended. */
  resources: () => Resources;
  /** Aborted by the first Ctrl-C or SIGTERM: the verb ends in order, and says how to go on. */
  signal: AbortSignal;
  /** What a verb's action hands its work to; what it resolves with is the exit code. */
  run(work: () => Promise<Exit>): Promise<void>;
};
