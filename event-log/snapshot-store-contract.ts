// What every snapshot store must do (snapshot-store.ts says it in words). Each adapter's own test opens it on its server and calls
// describeSnapshotStoreContract.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { until } from './contract/log-probe.ts';
import type { ConnectionFaults } from './event-log-contract.ts';
import {
  MAX_SNAPSHOT_VALUE_BYTES,
  type SnapshotEntry,
  type SnapshotStore,
  SnapshotStoreError,
} from './snapshot-store.ts';

/** Opens a new, empty store of two partitions for one test. */
export type OpenSnapshotHarness = () => Promise<SnapshotHarness>;

export type SnapshotHarness = {
  readonly store: SnapshotStore;
  /** A handle with connections of its own on the same store, as another process would have it. */
  openAnother(): Promise<SnapshotStore>;
  /** A handle all of whose connections go through a proxy. Its requests must give up after at most 3 s. */
  openThroughProxy(): Promise<{
    store: SnapshotStore;
    faults: Pick<ConnectionFaults, 'cut' | 'refuse' | 'accept' | 'holdRequests' | 'releaseRequests'>;
  }>;
  /** Closes every handle and the proxies, and drops the store. */
  close(): Promise<void>;
};

/** Declares the whole suite for one adapter. */
export function describeSnapshotStoreContract(name: string, open: OpenSnapshotHarness): void {
  describe(`SNAP-1 snapshot store on ${name}`, () => {
    describeKeeping(open);
    describeFailing(open);
  });
}

function describeKeeping(open: OpenSnapshotHarness): void {
  it(
    'holds nothing at first',
    onFreshStore(open, async ({ store }) => {
      assert.deepEqual(await contentOf(store, 0), {});
      assert.deepEqual(await contentOf(store, 1), {});
    }),
  );

  it(
    'keeps the newest value of each key, also for other handles, and each partition for itself',
    onFreshStore(open, async ({ store, openAnother }) => {
      const other = await openAnother();
      await store.write(0, [entry('a', 'one'), entry('b', 'two')]);
      await other.write(1, [entry('a', 'elsewhere')]);
      await other.write(0, [entry('a', 'newer'), entry('c', 'three')]);
      for (const one of [store, other]) {
        assert.deepEqual(await contentOf(one, 0), { a: 'newer', b: 'two', c: 'three' });
        assert.deepEqual(await contentOf(one, 1), { a: 'elsewhere' });
      }
    }),
  );

  it(
    'forgets what is deleted, also what never was there, and takes it again',
    onFreshStore(open, async ({ store }) => {
      await store.write(0, [entry('a', 'one'), entry('b', 'two')]);
      await store.write(0, [entry('a', null), entry('never', null)]);
      assert.deepEqual(await contentOf(store, 0), { b: 'two' });
      await store.write(0, [entry('a', 'again')]);
      assert.deepEqual(await contentOf(store, 0), { a: 'again', b: 'two' });
    }),
  );

  it(
    'a key that comes several times in one write has the last value',
    onFreshStore(open, async ({ store }) => {
      const twice = [entry('a', 'one'), entry('b', 'two'), entry('a', 'newer'), entry('b', null), entry('c', null)];
      await store.write(0, [...twice, entry('c', 'there')]);
      assert.deepEqual(await contentOf(store, 0), { a: 'newer', c: 'there' });
    }),
  );

  it(
    'keeps every byte of values up to the bound, and keys of any letters',
    onFreshStore(open, async ({ store }) => {
      const large = Buffer.alloc(MAX_SNAPSHOT_VALUE_BYTES, 0xa5);
      const keys = ['plain', 'Grüße 😀 日本', `'; drop "table"`, 'x'.repeat(1_000)];
      const entries = [...keys.map((key) => entry(key, key)), { key: 'large', value: large }];
      await store.write(0, [...entries, { key: 'empty', value: Buffer.alloc(0) }, { key: 'larger', value: large }]);
      const found = await valuesOf(store, 0);
      assert.deepEqual([...found.keys()].sort(), [...keys, 'large', 'empty', 'larger'].sort());
      for (const key of keys) assert.equal(found.get(key)?.toString(), key);
      assert.equal(found.get('empty')?.length, 0);
      assert.ok(large.equals(found.get('large') ?? Buffer.alloc(0)));
      assert.ok(large.equals(found.get('larger') ?? Buffer.alloc(0)));
    }),
  );

  it(
    'takes many entries at once, more than one request holds, and gives them in pieces',
    onFreshStore(open, async ({ store }) => {
      const entries = Array.from({ length: 5_000 }, (_, index) => entry(`key ${index}`, `${index} `.repeat(600)));
      await store.write(0, entries);
      let pieces = 0;
      for await (const piece of store.read(0)) pieces += piece.length > 0 ? 1 : 0;
      assert.ok(pieces > 1, `${pieces} pieces`);
      const found = await valuesOf(store, 0);
      assert.equal(found.size, 5_000);
      for (const { key, value } of entries) assert.deepEqual(found.get(key), value);
    }),
  );

  it(
    'writes of a partition that are not waited for take effect in their order',
    onFreshStore(open, async ({ store }) => {
      await Promise.all(Array.from({ length: 50 }, (_, index) => store.write(0, [entry('a', `${index}`)])));
      assert.deepEqual(await contentOf(store, 0), { a: '49' });
    }),
  );

  it(
    'a read that is broken off does not keep others from reading and writing',
    onFreshStore(open, async ({ store }) => {
      await store.write(
        0,
        Array.from({ length: 500 }, (_, index) => entry(`key ${index}`, 'value')),
      );
      for (let round = 0; round < 10; round++) {
        for await (const piece of store.read(0)) if (piece.length > 0) break;
      }
      await store.write(0, [entry('key 0', 'newer')]);
      assert.equal((await contentOf(store, 0))['key 0'], 'newer');
    }),
  );

  it(
    'a value above the bound is a bug of the caller',
    onFreshStore(open, async ({ store }) => {
      const value = Buffer.alloc(MAX_SNAPSHOT_VALUE_BYTES + 1);
      await assert.rejects(store.write(0, [{ key: 'a', value }]), { code: 'ERR_ASSERTION' });
    }),
  );
}

function describeFailing(open: OpenSnapshotHarness): void {
  it(
    'says SnapshotStoreError while it cannot be reached, and works again when it can',
    onFreshStore(open, async ({ store, openThroughProxy }) => {
      const { store: far, faults } = await openThroughProxy();
      await far.write(0, [entry('a', 'before')]);
      await faults.refuse();
      await assert.rejects(far.write(0, [entry('b', 'lost')]), SnapshotStoreError);
      await assert.rejects(contentOf(far, 0), SnapshotStoreError);
      await faults.accept();
      await until('it is written again', async () => {
        try {
          await far.write(0, [entry('c', 'after')]);
          return true;
        } catch (error) {
          assert.ok(error instanceof SnapshotStoreError);
          return false;
        }
      });
      assert.deepEqual(await contentOf(store, 0), { a: 'before', c: 'after' });
    }),
  );

  it(
    'a write without an answer fails in time, and may arrive after later ones of other handles',
    onFreshStore(open, async ({ store, openThroughProxy }) => {
      const { store: far, faults } = await openThroughProxy();
      await far.write(0, [entry('a', 'before')]);
      faults.holdRequests();
      await assert.rejects(far.write(0, [entry('a', 'late'), entry('b', 'late')]), SnapshotStoreError);
      await store.write(0, [entry('c', 'meanwhile')]);
      assert.deepEqual(await contentOf(store, 0), { a: 'before', c: 'meanwhile' });
      await faults.releaseRequests();
      await until('it has arrived', async () => (await contentOf(store, 0)).b === 'late');
      assert.deepEqual(await contentOf(store, 0), { a: 'late', b: 'late', c: 'meanwhile' });
    }),
  );
}

function onFreshStore(open: OpenSnapshotHarness, run: (harness: SnapshotHarness) => Promise<void>) {
  return async () => {
    const harness = await open();
    try {
      await run(harness);
    } finally {
      await harness.close();
    }
  };
}

function entry(key: string, value: string | null): SnapshotEntry {
  return { key, value: value === null ? null : Buffer.from(value) };
}

async function valuesOf(store: SnapshotStore, partition: number): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for await (const entries of store.read(partition)) {
    for (const { key, value } of entries) {
      if (value === null) found.delete(key);
      else found.set(key, Buffer.from(value));
    }
  }
  return found;
}

async function contentOf(store: SnapshotStore, partition: number): Promise<Record<string, string>> {
  const found = await valuesOf(store, partition);
  return Object.fromEntries([...found].map(([key, value]) => [key, value.toString()]));
}
