// Shows how far an import or a rebuild is: a bar that is drawn again in place on a terminal, a plain line every few seconds elsewhere.
import type { WriteStream } from 'node:tty';

export type Progress = { stop(): void };
/** `note` is shown at the end of the line. */
export type ProgressState = { done: number; refused: number; note?: string };

const BAR_EVERY_MS = 200;
const LINE_EVERY_MS = 5_000;
/** The rate is that of the last few seconds, so that the time left follows a server that gets slower or faster. */
const RATE_OVER_MS = 5_000;
const BAR_WIDTH = 30;

/** Shows `read()` until it is stopped. */
export function showProgress(options: {
  out: Pick<WriteStream, 'write' | 'isTTY'>;
  total: number;
  read: () => ProgressState;
  now: () => number;
  /** What is counted; events where left out. */
  unit?: string;
}): Progress {
  const { out, total, read, now, unit = 'events' } = options;
  const samples: { at: number; done: number }[] = [{ at: now(), done: read().done }];

  const draw = (): void => {
    const state = read();
    const at = now();
    samples.push({ at, done: state.done });
    while (samples.length > 2 && at - (samples[1]?.at ?? at) > RATE_OVER_MS) samples.shift();
    const oldest = samples[0] ?? { at, done: state.done };
    const rate = at > oldest.at ? ((state.done - oldest.done) / (at - oldest.at)) * 1_000 : 0;
    const text = formatProgress({ ...state, total, rate, unit });
    out.write(out.isTTY ? `\r\u001b[2K${text}` : `${text}\n`);
  };

  const timer = setInterval(draw, out.isTTY ? BAR_EVERY_MS : LINE_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      draw();
      if (out.isTTY) out.write('\n');
    },
  };
}

/** One line: bar, share, number, rate a second, time left, refusals if any. */
export function formatProgress(state: ProgressState & { total: number; rate: number; unit?: string }): string {
  const { done, total, rate, refused, unit = 'events' } = state;
  const share = total === 0 ? 1 : done / total;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
  const parts = [
    `${bar} ${(share * 100).toFixed(1).padStart(5)} %`,
    `${count(done)} / ${count(total)} ${unit}`,
    `${count(Math.round(rate))}/s`,
    done < total ? `${rate > 0 ? duration((total - done) / rate) : '?'} left` : 'done',
  ];
  if (refused > 0) parts.push(`${count(refused)} refused`);
  if (state.note !== undefined) parts.push(state.note);
  return parts.join('   ');
}

/** 1,234,567 */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** 0:07, 12:34, 1:02:03 */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}
