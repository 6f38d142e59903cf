import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { z } from 'zod';
import { ConfigError, countSetting, portSetting, readEnv } from './env.ts';

const shape = { PORT: portSetting(3000), COUNT: countSetting(8, 1, 64), NAME: z.string() };

describe('configuration', () => {
  it('PLT-1 reports every fault in one message, one line each', () => {
    const faults = { PORT: '70000', COUNT: 'many' };
    assert.throws(
      () => readEnv(shape, faults),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.deepEqual(
          error.message
            .split('\n')
            .slice(1)
            .map((line) => line.trim().split(':')[0]),
          ['PORT', 'COUNT', 'NAME'],
        );
        return true;
      },
    );
  });

  it('PLT-2 takes an empty variable for an unset one', () => {
    assert.deepEqual(readEnv(shape, { PORT: '', COUNT: '', NAME: 'x' }), { PORT: 3000, COUNT: 8, NAME: 'x' });
  });

  it('leaves out variables it does not know', () => {
    assert.deepEqual(readEnv({ NAME: z.string() }, { NAME: 'x', OTHER: 'y' }), { NAME: 'x' });
  });

  it('refuses counts that are not whole or not within their bounds', () => {
    for (const COUNT of ['0', '65', '1.5', '-1', '8x', 'NaN']) {
      assert.throws(() => readEnv(shape, { NAME: 'x', COUNT }), ConfigError, COUNT);
    }
  });
});
