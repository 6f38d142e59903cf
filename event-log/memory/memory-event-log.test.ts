import { describeEventLogContract } from '../event-log-contract.ts';
import { openMemoryEventLog } from './memory-event-log.ts';
import { MemoryStore } from './memory-store.ts';

describeEventLogContract('memory', (partitions) => {
  const store = new MemoryStore(partitions);
  const handles = [openMemoryEventLog(store)];
  const open = (latencyMs: number) => {
    const handle = openMemoryEventLog(store, { latencyMs });
    handles.push(handle);
    return Promise.resolve(handle);
  };
  return Promise.resolve({
    log: handles[0]?.log ?? openMemoryEventLog(store).log,
    openAnother: async () => (await open(0)).log,
    // Faults that come while a request is under way need requests that take some time.
    openThroughProxy: () => open(1),
    deleteBelow: (partition, offset) => {
      store.deleteBelow(partition, offset);
      return Promise.resolve();
    },
    close: async () => {
      await Promise.all(handles.map(({ log }) => log.close()));
    },
  });
});
