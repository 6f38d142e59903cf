// `npm run test:faults`; --help says how.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HELP, readOptions, UsageError } from './options.ts';
import { runPlanted } from './planted.ts';
import { formatResult, isClean } from './report.ts';
import { NoClusterError, runSuite } from './suite.ts';

const EXIT = { clean: 0, violations: 1, usage: 2, noStart: 3 } as const;

async function main(signal: AbortSignal): Promise<number> {
  const options = readOptions(process.argv.slice(2), () => randomBytes(4).toString('hex'));
  if (options === null) {
    process.stdout.write(HELP);
    return EXIT.clean;
  }
  const { seed, way, minutes, keep, planted } = options;
  const runDir = join(tmpdir(), `roomlog-faults-${seed}-${process.pid}`);
  say(planted === undefined ? `seed ${seed}, ${way}, ${minutes} minutes` : `seed ${seed}, bugs on purpose`);
  let code: number = EXIT.violations;
  try {
    if (planted === undefined) {
      const result = await runSuite({ ...options, runDir, onProgress: say, signal });
      process.stdout.write(`\n${formatResult(result)}`);
      code = isClean(result) ? EXIT.clean : EXIT.violations;
    } else {
      const score = await runPlanted({ name: planted, seed, runDir, onProgress: say, signal });
      process.stdout.write(`\n${score.table}\n`);
      code = score.isComplete ? EXIT.clean : EXIT.violations;
    }
    return code;
  } finally {
    if (code === EXIT.clean && !keep) await rm(runDir, { recursive: true, force: true });
    else say(`history and logs are in ${runDir}`);
    say(`seed ${seed}`);
  }
}

const startedAt = performance.now();

function say(line: string): void {
  process.stdout.write(`# ${((performance.now() - startedAt) / 1_000).toFixed(1).padStart(6)} ${line}\n`);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  return error instanceof NoClusterError ? EXIT.noStart : EXIT.violations;
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
}
try {
  process.exitCode = await main(interrupted.signal);
} catch (error) {
  const isForeseen = error instanceof Error && 'retryable' in error;
  say(isForeseen ? error.message : error instanceof Error ? String(error.stack) : String(error));
  if (error instanceof UsageError) process.stdout.write(HELP);
  process.exitCode = exitCodeOf(error);
}
