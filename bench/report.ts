// Medians, and how they are shown.
import type { ScenarioName, WayName } from './options.ts';
import type { Measured } from './scenarios.ts';

export type Report = { way: string; scenario: ScenarioName; runs: Measured[]; median: Measured };

export function toReport(way: string, scenario: ScenarioName, runs: Measured[]): Report {
  return {
    way,
    scenario,
    runs,
    median: {
      figures: medians(runs.map((run) => run.figures)),
      cpuSeconds: medians(runs.map((run) => run.cpuSeconds)),
    },
  };
}

/** How a way of running is called in results. */
export function wayTitle(way: WayName, apart: boolean): string {
  if (way === 'embedded') return 'embedded';
  return apart ? 'kafka, a process per role' : 'kafka, one process';
}

/** A table in Markdown, ready for bench/README.md. */
export function toTable(reports: readonly Report[]): string {
  const lines = ['| way | scenario | figures (medians) | processor seconds |', '|---|---|---|---|'];
  for (const { way, scenario, median } of reports) {
    lines.push(`| ${way} | ${scenario} | ${list(median.figures)} | ${list(median.cpuSeconds)} |`);
  }
  return lines.join('\n');
}

export function list(values: Record<string, number>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${format(value)}`)
    .join('; ');
}

function medians(runs: readonly Record<string, number>[]): Record<string, number> {
  const names = [...new Set(runs.flatMap((run) => Object.keys(run)))];
  return Object.fromEntries(names.map((name) => [name, median(runs.map((run) => run[name] ?? 0))]));
}

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN;
  const high = sorted[Math.floor(middle)] ?? Number.NaN;
  return (low + high) / 2;
}

function format(value: number): string {
  if (Number.isInteger(value) || value >= 1_000) return Math.round(value).toLocaleString('en-US');
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
