import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { LogRecord } from '../event-log.ts';
import { RecentRecords } from './recent-records.ts';

describe('the records that just went through a handle', () => {
  it('are given from any offset of theirs, within both bounds, and one at least', () => {
    const recent = new RecentRecords();
    recent.add(3, recordsAt(10, 4, 100));
    assert.deepEqual(offsets(recent.from(3, 11, 100, 10_000)), [11, 12, 13]);
    assert.deepEqual(offsets(recent.from(3, 10, 2, 10_000)), [10, 11]);
    assert.deepEqual(offsets(recent.from(3, 10, 100, 150)), [10, 11]);
    assert.deepEqual(offsets(recent.from(3, 12, 100, 1)), [12]);
  });

  it('are not given where one of them might be missing', () => {
    const recent = new RecentRecords();
    recent.add(3, recordsAt(10, 4, 1));
    assert.equal(recent.from(3, 9, 100, 100), null);
    assert.equal(recent.from(3, 14, 100, 100), null);
    assert.equal(recent.from(2, 10, 100, 100), null);
  });

  it('start anew behind what somebody else wrote', () => {
    const recent = new RecentRecords();
    recent.add(0, recordsAt(0, 3, 1));
    recent.add(0, recordsAt(4, 2, 1));
    assert.equal(recent.from(0, 2, 100, 100), null);
    assert.deepEqual(offsets(recent.from(0, 4, 100, 100)), [4, 5]);
  });

  it('forget the oldest at their bound and stay dense', () => {
    const recent = new RecentRecords();
    for (let first = 0; first < 10_000; first += 100) recent.add(0, recordsAt(first, 100, 1));
    assert.equal(recent.from(0, 0, 10_000, 100_000), null);
    const found = offsets(recent.from(0, 9_000, 10_000, 100_000));
    assert.deepEqual(
      found,
      Array.from({ length: 1_000 }, (_, index) => 9_000 + index),
    );
  });
});

function recordsAt(first: number, count: number, bytes: number): LogRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    offset: first + index,
    key: 'room-1',
    value: Buffer.alloc(bytes),
    appendedAt: 0,
  }));
}

function offsets(records: LogRecord[] | null): number[] | undefined {
  return records?.map(({ offset }) => offset);
}
