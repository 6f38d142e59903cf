import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'mocha';
import { DataInUseError } from './data-lock.ts';
import { describeFailure } from './tell-of-failure.ts';

describe('telling why the process has to end', () => {
  it('shows the sentence of a fault that was foreseen, and its cause', () => {
    const error = new DataInUseError('another Roomlog is running on this data', { cause: new Error('held') });
    assert.equal(describeFailure(error), 'Roomlog has to end: another Roomlog is running on this data\n  (held)');
  });

  it('shows where in the code an unforeseen one happened', () => {
    assert.match(describeFailure(new TypeError('x is not a function')), /TypeError: x is not a function\n\s+at /);
    assert.match(describeFailure('text'), /text$/);
  });

  it('PLT-23 is what a role in a process of its own does with faults in its settings', () => {
    for (const role of ['commands', 'read-api', 'realtime', 'projections']) {
      const main = fileURLToPath(new URL(`../${role}/main.ts`, import.meta.url));
      const { status, stderr } = spawnSync(process.execPath, [main], { env: {}, encoding: 'utf8' });
      assert.equal(status, 1);
      assert.match(stderr, /^Roomlog has to end: [^\n]*\n(?: {2}[^\n]+\n)*$/, role);
      assert.doesNotMatch(stderr, / at .*:\d+/, role);
    }
  });
});
