import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { Report } from './check-run.ts';
import { formatResult, isClean } from './report.ts';
import type { SuiteResult } from './suite.ts';

const COUNTS = { operations: 2, attempts: 2, accepted: 2, refused: 0, lost: 0, sockets: 1, frames: 2, events: 2 };
const CLEAN: Report = { ...COUNTS, faults: 1, violations: [], violationsByCheck: {} };

function resultOf(changes: Partial<SuiteResult>): SuiteResult {
  const counts = { entries: 9, invoked: 2, accepted: 2, refused: 0, lost: 0, received: 2, longestSilenceMs: 1_234 };
  return {
    report: CLEAN,
    counts: { ...counts, faults: new Map([['kill-commands', 1]]) },
    longestSilenceMs: 1_234,
    violations: [],
    endedAlone: new Map(),
    recoveries: new Map([['kill-commands', [2_500]]]),
    ...changes,
  };
}

describe('the verdict on a run', () => {
  it('is good where neither the checker nor the runner found anything', () => {
    const result = resultOf({});
    assert.ok(isClean(result));
    assert.match(formatResult(result), /1 kill-commands.*1\.2 s.*kill-commands: 2\.5 s.*No violation found/s);
  });

  it('FLT-34 is bad where the runner found something itself', () => {
    const result = resultOf({ violations: ['commands-1 ended with 1 after SIGTERM'] });
    assert.ok(!isClean(result));
    assert.match(formatResult(result), /VIOLATION: commands-1 ended with 1 after SIGTERM/);
  });

  it('is bad where the checker found something', () => {
    assert.ok(!isClean(resultOf({ report: { ...CLEAN, violationsByCheck: { log: 1 } } })));
  });
});
