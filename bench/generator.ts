// The load generator (loadgen/, in Go): builds it and runs it.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { childEnv } from '../ops/config.ts';
import type { ServerProcess } from './processor-time.ts';

export type GeneratorMode = 'acks' | 'latency' | 'fanout' | 'idle' | 'recover' | 'slow';

export type GeneratorRun = {
  mode: GeneratorMode;
  address: string;
  secret: string;
  roomIds: readonly string[];
  sockets: number;
  userPrefix: string;
  processes: readonly ServerProcess[];
  rate?: number;
  /** Further flags of loadgen/main.go. */
  flags?: readonly string[];
};

/** What the generator prints; see Result in loadgen/main.go. */
export type GeneratorResult = {
  Acks: number;
  Refused: number;
  Drops: number;
  Sent: number;
  Delivered: number;
  Expected: number;
  WallS: number;
  AcksPerS: number;
  DeliveriesPerS: number;
  P50Ms: number;
  P99Ms: number;
  MaxMs: number;
  LatenessP99Ms: number;
  CPU: Record<string, number>;
  GeneratorCPU: number;
  OtherCPU: number;
  Steal: number;
  Rate?: number;
  Extra?: Record<string, number>;
};

const run = promisify(execFile);
const FOLDER = fileURLToPath(new URL('./loadgen/', import.meta.url));
const BUILD_TIMEOUT_MS = 300_000;
const RUN_TIMEOUT_MS = 600_000;
/** Where Go's own installer puts it, for machines on whose path it is not. */
const GO_PROGRAMS = ['go', '/usr/local/go/bin/go'];

/** Builds the generator. Throws an Error that says what to install where there is no Go. */
export async function buildGenerator(): Promise<void> {
  for (const go of GO_PROGRAMS) {
    try {
      await run(go, ['build', '-o', 'loadgen', '.'], { cwd: FOLDER, timeout: BUILD_TIMEOUT_MS });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new Error(
    'The load generator is written in Go, which is not installed. Install Go 1.22 or later (https://go.dev/dl, or as root: apt-get install golang-go) and put `go` on the path.',
  );
}

/** What it prints in the modes that print one result. */
export async function runGenerator(options: GeneratorRun): Promise<GeneratorResult> {
  const [result] = await runGeneratorSteps(options);
  if (result === undefined) throw new Error('the load generator printed nothing');
  return result;
}

/** All results, one a step. */
export async function runGeneratorSteps(options: GeneratorRun): Promise<GeneratorResult[]> {
  const procs = options.processes.map(
    ({ name, pid, withDescendants }) => `${name}=${pid}${withDescendants ? '*' : ''}`,
  );
  const args = [
    `-mode=${options.mode}`,
    `-addr=${options.address}`,
    `-secret=${options.secret}`,
    `-rooms=${options.roomIds.join(',')}`,
    `-users=${options.userPrefix}`,
    `-conns=${options.sockets}`,
    `-procs=${procs.join(',')}`,
    ...(options.rate === undefined ? [] : [`-rate=${options.rate}`]),
    ...(options.flags ?? []),
  ];
  const { stdout, stderr } = await run(`${FOLDER}loadgen`, args, { timeout: RUN_TIMEOUT_MS, env: childEnv({}) });
  if (stderr !== '') process.stderr.write(stderr);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as GeneratorResult);
}
