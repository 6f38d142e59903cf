import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { PLANTED_BUGS } from '../support/planted-bugs/bugs.ts';
import { FAULT_SUITE_BUGS } from '../support/planted-bugs/fault-suite-bugs.ts';
import { SCENARIOS } from './planted-scenarios.ts';

describe('bugs on purpose in real processes', () => {
  it('FLT-35 each is one that can be planted, and each that is made for this suite is brought out', () => {
    const provoked = SCENARIOS.map(({ bug }) => bug);
    const known = PLANTED_BUGS.map(({ name }) => name);
    assert.deepEqual(
      provoked.filter((bug) => !known.includes(bug)),
      [],
    );
    assert.deepEqual(
      FAULT_SUITE_BUGS.map(({ name }) => name).filter((bug) => !provoked.includes(bug)),
      [],
    );
  });
});
