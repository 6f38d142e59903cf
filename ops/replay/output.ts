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
    const lines = this.json ? [JSON.stringify(value)] : [text].flat().map(withoutSteering);
    if (lines.length > 0) this.stdout.write(`${lines.join('\n')}\n`);
  }

  /** What is going on, for people alone. */
  note(text: string): void {
    if (!this.json) this.stderr.write(`${withoutSteering(text)}\n`);
  }

  fault(text: string): void {
    this.stderr.write(`replay: ${withoutSteering(text)}\n`);
  }
}

/** Control characters, line separators, lone surrogates, and what turns the direction of writing. */
const STEERING = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u202a-\u202e\u2066-\u2069]/gu;

/** One line that cannot steer the terminal, whoever wrote what is quoted in it. */
export function printable(text: string): string {
  return text.replaceAll(STEERING, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** The same of a text whose lines are ours. */
function withoutSteering(text: string): string {
  return text.split('\n').map(printable).join('\n');
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
