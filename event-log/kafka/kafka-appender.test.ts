import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { withDeadline } from '../../platform/lifecycle.ts';
import { systemTime } from '../../platform/time.ts';
import { brokerAnsweringProduce } from '../../tests/support/memory-brokers.ts';
import { LogUnavailableError, OutcomeUnknownError } from '../event-log.ts';
import { FailedPartitions } from './failed-partitions.ts';
import { KafkaAppender, MAX_BATCH_BYTES } from './kafka-appender.ts';
import type { KafkaConnection, LeaderConnections } from './kafka-connections.ts';

const RECORDS = [
  { key: 'room-1', value: Buffer.from('one') },
  { key: 'room-1', value: Buffer.from('two') },
];

function appenderOn(connections: LeaderConnections): KafkaAppender {
  return new KafkaAppender([connections], 'memory', 50, { has: () => false, add: () => undefined });
}

describe('Kafka appender', () => {
  it('appended means: the broker put the batch where it was predicted', async () => {
    const appender = appenderOn(brokerAnsweringProduce(0, 7));
    assert.deepEqual(await appender.append(0, 7, RECORDS), { kind: 'appended', firstOffset: 7 });
  });

  it('anywhere else is a conflict, and the head lies behind the void batch', async () => {
    const appender = appenderOn(brokerAnsweringProduce(0, 9));
    assert.deepEqual(await appender.append(0, 7, RECORDS), { kind: 'conflict', head: 11 });
  });

  const certain = new Set([10, 18, 19, 29, 87]);
  it('every error code that does not surely mean "not written" means an unknown outcome, also codes nobody knows yet', async () => {
    for (const errorCode of [...Array.from({ length: 200 }, (_, index) => index + 1), -1, 9_999, 32_767]) {
      const broker = brokerAnsweringProduce(errorCode, -1);
      await assert.rejects(
        appenderOn(broker).append(0, 7, RECORDS),
        certain.has(errorCode) ? LogUnavailableError : OutcomeUnknownError,
        `error ${errorCode}`,
      );
      assert.equal(broker.retired, 1, `error ${errorCode} keeps using the connection`);
    }
  });

  it('a leader that could not be reached was sent nothing: unavailable, not unknown', async () => {
    const appender = appenderOn({ toLeader: () => Promise.reject(new LogUnavailableError('down')) });
    await assert.rejects(appender.append(0, 7, RECORDS), LogUnavailableError);
  });

  it('a connection that opens too slowly was sent nothing either, and the deadline holds', async () => {
    const appender = appenderOn({ toLeader: () => new Promise(() => undefined) });
    await assert.rejects(appender.append(0, 7, RECORDS), LogUnavailableError);
  });

  it('an answer after the deadline is ignored: the outcome stays unknown', async () => {
    const late = Promise.withResolvers<never>();
    const appender = appenderOn({
      toLeader: async () => ({
        send: (_request, timeoutMs = 0) => withDeadline(late.promise, timeoutMs),
        retire: () => undefined,
      }),
    });
    await assert.rejects(appender.append(0, 7, RECORDS), OutcomeUnknownError);
    late.reject(new Error('too late to matter'));
  });

  it('CMD-49 where the broker failed inside, the partition is not written to until that broker has ended', async () => {
    const end = Promise.withResolvers<never>();
    let looks = 0;
    const answers = [0, 0].map(async () => ({ errorCode: 0, offset: 7 }));
    const openWatch = () => {
      const send = () => answers[looks++] ?? end.promise;
      const toLeader = async () => ({ send, retire: () => undefined }) as unknown as KafkaConnection;
      return { toLeader, close: () => undefined };
    };
    const failed = new FailedPartitions(openWatch, 'memory', { ...systemTime, pause: () => systemTime.nextTurn() });
    const failing = brokerAnsweringProduce(-1, -1);
    const appender = new KafkaAppender([failing], 'memory', 50, failed);
    await assert.rejects(appender.append(0, 7, RECORDS), OutcomeUnknownError);
    while (looks < 3) await systemTime.nextTurn();
    for (const again of [() => appender.barrier(0), () => appender.append(0, 7, RECORDS)]) {
      await assert.rejects(again(), (error) => error instanceof LogUnavailableError && error.cause === undefined);
    }
    assert.equal(failing.retired, 1, 'nothing more was sent');
    // Others are written as before, and fail by themselves.
    await assert.rejects(appender.append(1, 7, RECORDS), OutcomeUnknownError);
    end.reject(new Error('the broker ended'));
    while (failed.has(0)) await systemTime.nextTurn();
    await assert.rejects(appender.append(0, 7, RECORDS), OutcomeUnknownError);
  });

  it('a barrier without an answer is unavailable: another one does no harm', async () => {
    await assert.rejects(appenderOn(brokerAnsweringProduce(7, -1)).barrier(0), LogUnavailableError);
  });

  it('GUARD unawaited sends change places: a second append of a partition in flight is a bug that stops at once', async () => {
    const appender = appenderOn(brokerAnsweringProduce(0, 7));
    const first = appender.append(0, 7, RECORDS);
    await assert.rejects(appender.append(0, 9, RECORDS), { code: 'ERR_ASSERTION' });
    await appender.append(1, 7, RECORDS);
    await first;
    await appender.append(0, 7, RECORDS);
  });

  it('a batch larger than the topic must take is a bug of the caller', async () => {
    const appender = appenderOn(brokerAnsweringProduce(0, 0));
    const large = [{ key: 'room-1', value: Buffer.alloc(MAX_BATCH_BYTES) }];
    await assert.rejects(appender.append(0, 0, large), { code: 'ERR_ASSERTION' });
  });
});
