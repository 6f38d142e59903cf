import { describeSnapshotStoreContract } from '../snapshot-store-contract.ts';
import { MemorySnapshots, openMemorySnapshotStore } from './memory-snapshot-store.ts';

describeSnapshotStoreContract('memory', async () => {
  const snapshots = new MemorySnapshots();
  const opened = [openMemorySnapshotStore(snapshots)];
  const open = () => {
    const handle = openMemorySnapshotStore(snapshots, { timeoutMs: 50 });
    opened.push(handle);
    return handle;
  };
  return {
    store: opened[0]?.store ?? open().store,
    openAnother: async () => open().store,
    openThroughProxy: async () => open(),
    close: async () => {
      await Promise.all(opened.map(({ store }) => store.close()));
    },
  };
});
