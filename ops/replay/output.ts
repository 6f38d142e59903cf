// What a verb says: lines for people, or with --json one object for programs. Results go to stdout; progress and faults to stderr, so
// that a result can be piped while the progress is looked at.
import type { WriteStream } from 'node:tty';

export type Sink = Pick<WriteStream, 'write' | 'isTTY'>;

export class Output {
  readonly stdout: Sink;
  readonly stderr: Sink;
  /** Set by the option --json before a verb runs. */
  json = false;

  constructor(stdout: Sink, stderr: Sink) {
    this.stdout = stdout;
    this.stderr = stderr;
  }

  /** A part of the result: one line for people, or one line of JSON. */
  result(value: object, text: string | readonly string[]): void {
    const lines = this.json ? [JSON.stringify(value)] : [text].flat();
    if (lines.length > 0) this.stdout.write(`${lines.join('\n')}\n`);
  }

  /** What is going on, for people alone. */
  note(text: string): void {
    if (!this.json) this.stderr.write(`${text}\n`);
  }

  fault(text: string): void {
    this.stderr.write(`replay: ${text}\n`);
  }
}

/** Columns as wide as their widest cell; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string[] {
  const cells = [head, ...rows].map((row) =>
    row.map((cell) => (typeof cell === 'number' ? cell.toLocaleString('en-US') : cell)),
  );
  const widths = head.map((_, at) => Math.max(...cells.map((row) => row[at]?.length ?? 0)));
  const isNumber = head.map((_, at) => rows.length > 0 && rows.every((row) => typeof row[at] === 'number'));
  return cells.map((row) =>
    row
      .map((cell, at) => (isNumber[at] ? cell.padStart(widths[at] ?? 0) : cell.padEnd(widths[at] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
