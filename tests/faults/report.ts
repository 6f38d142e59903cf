// What a run comes to, for people.
import { formatReport } from './check-run.ts';
import type { RunResult } from './run.ts';
import type { SuiteResult } from './suite.ts';

export function isClean({ report, violations }: RunResult): boolean {
  return violations.length === 0 && Object.keys(report.violationsByCheck).length === 0;
}

export function formatResult(result: SuiteResult): string {
  const { counts, violations, recoveries, endedAlone } = result;
  const faults = [...counts.faults].map(([name, count]) => `${count} ${name}`).join(', ');
  const alone = [...endedAlone].map(([name, count]) => `${name} ${count} times`).join(', ');
  return [
    `faults: ${faults || 'none'}`,
    `longest time without an accepted command: ${seconds(result.longestSilenceMs)}`,
    'until all worked again:',
    ...[...recoveries].map(([name, times]) => `  ${name}: ${times.map(seconds).join(', ')}`),
    ...(alone === '' ? [] : [`ended without being told to: ${alone}`]),
    ...violations.map((sentence) => `VIOLATION: ${sentence}`),
    formatReport(result.report),
  ].join('\n');
}

function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}
