import { createMemoryPubSub } from './pub-sub.ts';
import { describePubSub } from './pub-sub-contract.ts';

describePubSub('in memory', () => {
  const pubSub = createMemoryPubSub();
  return { one: pubSub, two: pubSub };
});
