import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'mocha';
import { Lifecycle, stopOnSignals, withDeadline } from './lifecycle.ts';
import { createLogger } from './logger.ts';

const log = createLogger('test', 'silent');

function openLifecycle(): { lifecycle: Lifecycle; failed: Promise<void>; stopped: string[] } {
  const { promise: failed, resolve } = Promise.withResolvers<void>();
  const lifecycle = new Lifecycle({ log, onFailure: resolve, stopTimeoutMs: 20 });
  return { lifecycle, failed, stopped: [] };
}

describe('the lifetime of a process', () => {
  it('PLT-4 stops in the reverse order of opening, and each part once', async () => {
    const { lifecycle, stopped } = openLifecycle();
    for (const name of ['first', 'second', 'third']) {
      lifecycle.add(name, async () => {
        stopped.push(name);
      });
    }
    await Promise.all([lifecycle.stop(), lifecycle.stop()]);
    await lifecycle.stop();
    assert.deepEqual(stopped, ['third', 'second', 'first']);
  });

  it('PLT-4 stops the others where one part fails to stop or hangs', async () => {
    const { lifecycle, stopped } = openLifecycle();
    lifecycle.add('good', async () => {
      stopped.push('good');
    });
    lifecycle.add('hanging', () => new Promise(() => undefined));
    lifecycle.add('failing', () => Promise.reject(new Error('cannot stop')));
    await lifecycle.stop();
    assert.deepEqual(stopped, ['good']);
  });

  it('PLT-4 gives a part that needs longer its own time', async () => {
    const { lifecycle, stopped } = openLifecycle();
    const slow = async () => {
      await new Promise((resolve) => setTimeout(resolve, 100));
      stopped.push('slow');
    };
    lifecycle.add('slow', slow, 10_000);
    await lifecycle.stop();
    assert.deepEqual(stopped, ['slow']);
  });

  it('PLT-5 stops everything in order where a part fails, and then tells so', async () => {
    const { lifecycle, failed, stopped } = openLifecycle();
    lifecycle.add('first', async () => {
      stopped.push('first');
    });
    lifecycle.run('failing', {
      run: () => Promise.reject(new Error('broken')),
      stop: async () => {
        stopped.push('failing');
      },
    });
    await failed;
    assert.deepEqual(stopped, ['failing', 'first']);
  });

  it('goes on where a part ends because it was stopped', async () => {
    const { lifecycle, stopped } = openLifecycle();
    const { promise, resolve } = Promise.withResolvers<void>();
    lifecycle.run('part', {
      run: () => promise,
      stop: async () => {
        resolve();
        stopped.push('part');
      },
    });
    await lifecycle.stop();
    assert.deepEqual(stopped, ['part']);
  });

  it('PLT-6 ends with 0 after an orderly stop, also where one Ctrl-C arrives as two signals', async () => {
    const { lifecycle, stopped } = openLifecycle();
    const signals = new EventEmitter();
    const codes: number[] = [];
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    lifecycle.add('part', async () => {
      stopped.push('part');
    });
    stopOnSignals(lifecycle, (code) => resolve(void codes.push(code)), { signals, now: () => 1_000 });
    signals.emit('SIGINT');
    signals.emit('SIGINT');
    await ended;
    assert.deepEqual([codes, stopped], [[0], ['part']]);
  });

  it('PLT-6 ends at once on a second Ctrl-C', () => {
    const { lifecycle } = openLifecycle();
    const signals = new EventEmitter();
    const codes: number[] = [];
    let now = 1_000;
    lifecycle.add('hanging', () => new Promise(() => undefined));
    stopOnSignals(lifecycle, (code) => codes.push(code), { signals, now: () => now });
    signals.emit('SIGINT');
    assert.deepEqual(codes, []);
    now += 1_000;
    signals.emit('SIGINT');
    assert.deepEqual(codes, [130]);
  });

  it('gives a promise until its deadline', async () => {
    assert.equal(await withDeadline(Promise.resolve(1), 1_000), 1);
    await assert.rejects(withDeadline(new Promise(() => undefined), 5), /within 5 ms/);
  });
});
