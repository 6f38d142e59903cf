import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { FAULT_KINDS } from './nemesis/nemesis.ts';
import { HELP, readOptions, UsageError } from './options.ts';

describe('the command line of the fault suite', () => {
  const read = (line: string) => readOptions(line === '' ? [] : line.split(' '), () => 'made');

  it('runs everything on Kafka with a new seed unless told otherwise', () => {
    const options = { way: 'kafka', minutes: 5, seed: 'made', kinds: FAULT_KINDS, keep: false, planted: undefined };
    assert.deepEqual(read(''), options);
  });

  it('takes the way, the time, the seed and the faults', () => {
    const options = read('--way postgres --minutes 0.5 --seed s --faults kill-main,cut-links --keep');
    assert.deepEqual(
      { ...options, kinds: options?.kinds.map(({ name }) => name) },
      { way: 'postgres', minutes: 0.5, seed: 's', kinds: ['kill-main', 'cut-links'], keep: true, planted: undefined },
    );
  });

  it('plants one bug or all', () => {
    assert.equal(read('--planted resumes-one-too-far')?.planted, 'resumes-one-too-far');
    assert.equal(read('--planted')?.planted, '');
    assert.equal(read('--planted --seed s')?.planted, '');
  });

  it('FLT-33 says what there is to who asks for something else', () => {
    for (const line of ['--way mysql', '--minutes no', '--minutes 0', '--faults earthquake', '--loud', 'now']) {
      assert.throws(() => read(line), UsageError, line);
    }
    assert.throws(() => read('--faults earthquake'), /kill-commands/);
    assert.equal(read('--help'), null);
    for (const { name } of FAULT_KINDS) assert.match(HELP, new RegExp(`\\b${name}\\b`));
  });
});
