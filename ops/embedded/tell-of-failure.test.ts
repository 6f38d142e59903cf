import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { DataInUseError } from '../../platform/data-lock.ts';
import { describeFailure } from './tell-of-failure.ts';

describe('telling why the process could not start', () => {
  it('shows the sentence of a fault that was foreseen, and its cause', () => {
    const error = new DataInUseError('another Roomlog is running on this data', { cause: new Error('held') });
    assert.equal(describeFailure(error), 'Roomlog could not start: another Roomlog is running on this data\n  (held)');
  });

  it('shows where in the code an unforeseen one happened', () => {
    assert.match(describeFailure(new TypeError('x is not a function')), /TypeError: x is not a function\n\s+at /);
    assert.match(describeFailure('text'), /text$/);
  });
});
