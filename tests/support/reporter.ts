// How a test run reads: one line a file, every failure in full at the end, the slowest files, and last, alone on its line,
// `N passed, N failed`. It works for one process and for `--parallel`, where mocha hands over the events file by file.
import { relative } from 'node:path';
import type { Runnable, Runner, Test } from 'mocha';

type FileResult = { file: string; passed: number; failed: number; durationMs: number };
type Failure = { title: string; file: string; error: Error };

const SLOWEST_FILES = 10;
const MIN_SLOW_MS = 1_000;

/** A mocha reporter; mocha calls it with `new`. */
class FileReporter {
  readonly #resultByFile = new Map<string, FileResult>();
  readonly #failures: Failure[] = [];
  readonly #startedAt = performance.now();
  #current: FileResult | undefined;

  constructor(runner: Runner) {
    runner.on('pass', (test: Test) => {
      this.#count(test).passed += 1;
    });
    runner.on('fail', (test: Test, error: Error) => {
      this.#count(test).failed += 1;
      this.#failures.push({ title: titleOf(test), file: fileOf(test), error });
    });
    // A skipped test would claim what nobody saw.
    runner.on('pending', (test: Test) => {
      this.#count(test).failed += 1;
      const error = new Error('the test is skipped, which is not allowed');
      this.#failures.push({ title: titleOf(test), file: fileOf(test), error });
    });
    runner.once('end', () => this.#finish());
  }

  #count(test: Runnable): FileResult {
    const file = fileOf(test);
    let result = this.#resultByFile.get(file);
    if (result === undefined) {
      result = { file, passed: 0, failed: 0, durationMs: 0 };
      this.#resultByFile.set(file, result);
    }
    if (this.#current !== result) {
      if (this.#current !== undefined) printFile(this.#current);
      this.#current = result;
    }
    result.durationMs += test.duration ?? 0;
    return result;
  }

  #finish(): void {
    if (this.#current !== undefined) printFile(this.#current);
    const results = [...this.#resultByFile.values()];
    printSlowest(results, performance.now() - this.#startedAt);
    for (const [index, failure] of this.#failures.entries()) printFailure(index + 1, failure);
    const passed = results.reduce((sum, result) => sum + result.passed, 0);
    print(`\n${passed} passed, ${this.#failures.length} failed`);
  }
}

// Mocha loads a reporter by require(); this name is what require() then returns.
export { FileReporter as 'module.exports' };

function printFile({ file, passed, failed, durationMs }: FileResult): void {
  const counts = failed === 0 ? `${passed}` : `${passed}, FAILED ${failed}`;
  print(`${failed === 0 ? ' ok ' : 'FAIL'} ${file} (${counts}; ${seconds(durationMs)})`);
}

function printSlowest(results: FileResult[], totalMs: number): void {
  const slow = results.filter(({ durationMs }) => durationMs >= MIN_SLOW_MS);
  slow.sort((left, right) => right.durationMs - left.durationMs);
  print(`\n${results.length} files in ${seconds(totalMs)}${slow.length > 0 ? '; the slowest:' : ''}`);
  for (const { file, durationMs } of slow.slice(0, SLOWEST_FILES)) print(`${seconds(durationMs).padStart(9)}  ${file}`);
}

function printFailure(number: number, { title, file, error }: Failure): void {
  print(`\n${number}) ${title}\n   ${file}`);
  print(indent(describeError(error)));
}

function describeError(error: Error): string {
  // The stack begins with the message, but for errors that were changed afterwards or came from another process.
  const stack = error.stack ?? '';
  const text = stack.includes(error.message) ? stack : `${error.message}\n${stack}`;
  const own = text.split('\n').filter((line) => !/^\s+at .*(node:internal|node_modules\/mocha)/.test(line));
  const cause = error.cause instanceof Error ? `\ncaused by ${describeError(error.cause)}` : '';
  return own.join('\n') + cause;
}

/** Works on a test as it is and on one that came from a worker process as plain data. */
function titleOf(test: Runnable): string {
  return test.titlePath().join(' › ');
}

function fileOf(test: Runnable): string {
  return relative(process.cwd(), test.file ?? test.parent?.file ?? 'unknown file');
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

function indent(text: string): string {
  return text.replace(/^/gm, '   ');
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
