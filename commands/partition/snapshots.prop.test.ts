// The law of snapshots: whatever owners did to the store and whatever went wrong, who loads the partition gets what the whole log
// adds up to.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'mocha';
import { Registry } from 'prom-client';
import type { EventLog } from '../../event-log/event-log.ts';
import { openMemoryEventLog } from '../../event-log/memory/memory-event-log.ts';
import {
  type MemorySnapshotFaults,
  MemorySnapshots,
  openMemorySnapshotStore,
} from '../../event-log/memory/memory-snapshot-store.ts';
import { MemoryStore } from '../../event-log/memory/memory-store.ts';
import type { SnapshotStore } from '../../event-log/snapshot-store.ts';
import { uuidv7Ids } from '../../platform/ids.ts';
import { createLogger } from '../../platform/logger.ts';
import type { Time } from '../../platform/time.ts';
import type { ChatEvent } from '../../schemas/generated/events.ts';
import { arbitraryHistory } from '../../tests/support/arbitraries.ts';
import { contentOfState } from '../../tests/support/partition-content.ts';
import { testCodec } from '../../tests/support/write-side.ts';
import { createCommandMetrics } from '../metrics.ts';
import { PartitionLoader } from './load-partition.ts';
import type { PartitionState } from './partition-state.ts';
import { readSnapshot } from './read-snapshot.ts';
import { Snapshotter } from './snapshotter.ts';

/** Small, so that commands are forgotten and segments written anew. */
const BOUNDS = { perRoom: 3, perRoomMs: 200_000, perPartition: 10 };
const OWNERS = 3;

type Step =
  | { do: 'append'; events: number }
  | { do: 'fold' | 'round' | 'roundInHurry' | 'takeOver'; owner: number }
  | { do: 'roundWhileEventsCome'; owner: number; events: number }
  | { do: 'roundsOfBoth' | 'compact' }
  | { do: 'roundThatFails'; owner: number; afterEntries: number }
  | { do: 'arriveLate'; write: number };

const owner = fc.nat(OWNERS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('append' as const), events: fc.nat(6) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('fold' as const), owner }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('round' as const), owner }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('roundInHurry' as const), owner }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('roundWhileEventsCome' as const), owner, events: fc.nat(6) }),
  },
  { weight: 2, arbitrary: fc.constant({ do: 'roundsOfBoth' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('roundThatFails' as const), owner, afterEntries: fc.nat(12) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('arriveLate' as const), write: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('takeOver' as const), owner }) },
  { weight: 1, arbitrary: fc.constant({ do: 'compact' as const }) },
);

describe('laws of snapshots', () => {
  it('SNAP-3 loading gives what the whole log adds up to, whatever failed, came late, or was written by two at once', async () => {
    let [fromSnapshot, fromLog] = [0, 0];
    await fc.assert(
      fc.asyncProperty(
        arbitraryHistory({ minLength: 100, maxLength: 300 }),
        fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }),
        async (history, steps) => {
          const world = await openWorld(history);
          for (const one of steps) {
            await world.take(one);
            if (await world.loadsWhatTheLogAddsUpTo()) fromSnapshot++;
            else fromLog++;
          }
          await world.close();
        },
      ),
      { numRuns: 60, endOnFailure: true },
    );
    assert.ok(fromSnapshot > fromLog, `${fromSnapshot} states came from snapshots, ${fromLog} from the log`);
  }).timeout(60_000);
});

type Owner = { state: PartitionState; snapshotter: Snapshotter; faults: MemorySnapshotFaults };

async function openWorld(history: readonly ChatEvent[]) {
  const { log } = openMemoryEventLog(new MemoryStore(1));
  const snapshots = new MemorySnapshots();
  const failed: MemorySnapshotFaults[] = [];
  const owners: Owner[] = [];
  const bugs: unknown[] = [];
  let appended = 0;

  async function append(events: number): Promise<void> {
    for (const event of history.slice(appended, appended + events)) {
      await log.append(0, await log.head(0), [{ key: event.metadata.stream, value: testCodec.encode(event) }]);
    }
    appended = Math.min(history.length, appended + events);
  }

  async function openOwner(): Promise<Owner> {
    const { store, faults } = openMemorySnapshotStore(snapshots);
    failed.push(faults);
    const { state, snapshot, highestSet } = await load(log, store);
    const found = { markedEvents: snapshot?.events ?? 0, highestSet };
    const metrics = createCommandMetrics(new Registry());
    const onBug = (error: unknown) => bugs.push(error);
    const logger = createLogger('test', 'silent');
    const deps = { store, state, ids: uuidv7Ids, logger, metrics, time: quickTime, everyEvents: 1, onBug };
    return { state, snapshotter: new Snapshotter(deps, found), faults };
  }

  const fold = async ({ state }: Owner) => state.readTo(await log.head(0));
  for (let count = 0; count < OWNERS; count++) owners.push(await openOwner());

  async function take(one: Step): Promise<void> {
    const acting = owners['owner' in one ? one.owner : 0];
    assert.ok(acting);
    switch (one.do) {
      case 'append':
        return await append(one.events);
      case 'fold':
        return await fold(acting);
      case 'round':
        await fold(acting);
        acting.snapshotter.noteFolded();
        return await acting.snapshotter.idle();
      case 'roundInHurry':
        await fold(acting);
        return await acting.snapshotter.catchUp();
      case 'roundWhileEventsCome': {
        acting.snapshotter.noteFolded();
        await append(one.events);
        await fold(acting);
        return await acting.snapshotter.idle();
      }
      case 'roundsOfBoth':
        await Promise.all(owners.map(fold));
        for (const { snapshotter } of owners) snapshotter.noteFolded();
        await Promise.all(owners.map(({ snapshotter }) => snapshotter.idle()));
        return;
      case 'roundThatFails':
        await fold(acting);
        acting.faults.breakAfter(one.afterEntries);
        await acting.snapshotter.catchUp();
        return acting.faults.mend();
      case 'arriveLate': {
        const writes = failed.flatMap((faults) => faults.failed());
        const late = writes[one.write % Math.max(1, writes.length)];
        if (late) snapshots.write(late.partition, late.entries);
        return;
      }
      case 'takeOver':
        // The one before goes on as a zombie would: its handle stays, and it may be in the middle of a round.
        owners[one.owner] = await openOwner();
        return;
      case 'compact':
        return snapshots.compact(0);
    }
  }

  return {
    take,
    /** Whether it came from a snapshot. */
    loadsWhatTheLogAddsUpTo: async () => {
      assert.deepEqual(bugs, []);
      const whole = await load(log, null);
      const { store } = openMemorySnapshotStore(snapshots);
      const loaded = await load(log, store);
      assert.deepEqual(contentOfState(loaded.state), contentOfState(whole.state));
      // A snapshot that does not fit would be noticed and not used; but there must never be one.
      const { snapshot } = await readSnapshot(store.read(0), quickTime, BOUNDS);
      assert.equal(loaded.snapshot === null, snapshot === null);
      return loaded.snapshot !== null;
    },
    close: () => log.close(),
  };
}

async function load(log: EventLog, store: SnapshotStore | null) {
  const onBroken = (stream: string, reason: string) => assert.fail(`${stream}: ${reason}`);
  const { signal } = new AbortController();
  const logger = createLogger('test', 'silent');
  const deps = { log, codec: testCodec, snapshots: store, partition: 0, onBroken, logger, time: quickTime, signal };
  return await new PartitionLoader({ ...deps, bounds: BOUNDS }).load();
}

/** Pauses are over at once, but for those that wait for something else to end. */
const quickTime: Time = {
  now: () => performance.now(),
  pause: (ms, signal?: AbortSignal) =>
    new Promise((resolve) => {
      signal?.addEventListener('abort', () => resolve());
      if (ms < 5_000 || signal?.aborted) setImmediate(resolve);
    }),
  nextTurn: () => new Promise((resolve) => setImmediate(resolve)),
  every: () => () => undefined,
};
