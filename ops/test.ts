// `npm test`: starts the real servers on free ports, runs every test file against them, two at a time, stops the servers, and
// closes with a line `N passed, N failed`. Where a server or a tool cannot be had it fails: nothing is ever skipped.
//
//   npm test                         everything
//   npm test -- realtime commands    the files whose path contains one of these words
//   npm test -- --grep=CMD-3         options are mocha's
import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { childEnv } from './config.ts';
import { ensureTools } from './stack/ensure-tools.ts';
import { startStack } from './stack/start-stack.ts';

const ROOT = fileURLToPath(new URL('../', import.meta.url));
const CACHE = join(ROOT, '.cache');
/** Test processes at a time. More only make the timings of the tests that measure time worse. */
const JOBS = 2;
/**
 * Tests that hold something to a time, and the fault suite, which is a dozen processes under load: with another process beside them on
 * two cores they would measure that one.
 */
const ALONE =
  /^commands\/(command-router\.test|partition-owner\.test|write-side\.int\.test|client\/command-order\.test)\.ts$|kafka-idle|^tests\/faults\/faults\./;
/** A run that takes longer hangs: it is ended and counts as failed. */
const MAX_RUN_MS = 20 * 60_000;
const SUMMARY = /^(\d+) passed, (\d+) failed$/;
/** Long files first, so that the end of the run does not wait for one that began last. */
const ORDER = [/^tests\/e2e\//, /\.int\.test\.ts$/, /./];
/** What the product reads; a developer's own settings must not leak into the tests. */
const UNSET = { NODE_ENV: undefined, JWT_SECRET: undefined, DATA_DIR: undefined, LOG_LEVEL: undefined };

type Run = { isGreen: boolean; passed: number; failed: number };

async function main(interrupted: AbortSignal): Promise<Run> {
  const args = process.argv.slice(2);
  const options = args.filter((arg) => arg.startsWith('-'));
  const files = findFiles(args.filter((arg) => !arg.startsWith('-')));
  if (files.length === 0) throw new Error(`no test file matches ${args.join(' ')}`);
  const onProgress = (line: string): void => say(`# ${line}`);
  const tools = await ensureTools(['chromium', 'python'], { cacheDir: CACHE, onProgress });
  const dataDir = await mkdtemp(join(tmpdir(), 'roomlog-test-'));
  try {
    const stack = await startStack({ dataDir, cacheDir: CACHE, onProgress, signal: interrupted });
    try {
      const env = { ...UNSET, ...stack.env, CHROMIUM: tools.chromium, PYTHON: tools.python, TMPDIR: tmpdir() };
      return await runAll(files, options, childEnv(env));
    } finally {
      await stack.stop();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

function findFiles(words: string[]): string[] {
  const all = globSync('**/*.test.ts', {
    cwd: ROOT,
    exclude: (path) => /(^|\/)(node_modules|data|\.cache)$/.test(path),
  });
  const wanted = all.filter((file) => words.length === 0 || words.some((word) => file.includes(word)));
  const rank = (file: string): number => ORDER.findIndex((pattern) => pattern.test(file));
  return wanted.sort((left, right) => rank(left) - rank(right) || left.localeCompare(right));
}

async function runAll(files: string[], options: string[], env: Record<string, string>): Promise<Run> {
  const alone = files.filter((file) => ALONE.test(file));
  const together = files.filter((file) => !ALONE.test(file));
  const total: Run = { isGreen: true, passed: 0, failed: 0 };
  for (const [group, how] of [
    [together, ['--parallel', `--jobs=${JOBS}`]],
    [alone, []],
  ] as const) {
    if (group.length === 0) continue;
    const run = await runMocha([...how, ...options, ...group], env);
    total.isGreen &&= run.isGreen;
    total.passed += run.passed;
    total.failed += run.failed;
  }
  return total;
}

/** One run of mocha; a run that ends without its counts has failed once more. */
function runMocha(args: string[], env: Record<string, string>): Promise<Run> {
  const mocha = join(ROOT, 'node_modules', 'mocha', 'bin', 'mocha.js');
  const child = spawn(process.execPath, [mocha, ...args], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const hanging = setTimeout(() => {
    say(`The run was ended after ${MAX_RUN_MS / 60_000} minutes.`);
    child.kill('SIGKILL');
  }, MAX_RUN_MS);
  let counts: RegExpExecArray | null = null;
  createInterface(child.stdout).on('line', (line) => {
    // Held back: the counts of all runs together are the last line, whatever the servers say while they stop.
    const found = SUMMARY.exec(line);
    if (found) counts = found;
    else say(line);
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(hanging);
      const [, passed, failed] = counts ?? [];
      if (failed === undefined) say('The tests ended before they were through.');
      const run = { passed: Number(passed ?? 0), failed: Math.max(Number(failed ?? 1), code === 0 ? 0 : 1) };
      resolve({ ...run, isGreen: run.failed === 0 });
    });
  });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Mocha gets the terminal's Ctrl-C too and ends; this process lives on to stop the servers.
  process.on(signal, () => interrupted.abort(new Error(`ended by ${signal}`)));
}
try {
  const { isGreen, passed, failed } = await main(interrupted.signal);
  say(`${passed} passed, ${failed} failed`);
  process.exitCode = isGreen ? 0 : 1;
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  say('0 passed, 1 failed');
  process.exitCode = 1;
}
