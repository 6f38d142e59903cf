// Counts nothing, for tests that look at something else.
import type { RealtimeMetrics } from '../../realtime/metrics.ts';

export const silentMetrics: RealtimeMetrics = {
  delivered: () => {},
  written: () => {},
  received: () => {},
  refused: () => {},
  closed: () => {},
};
