// Every metric of the read API, by name.
import { Counter } from 'prom-client';
import type { Metrics } from '../platform/metrics.ts';

export type ReadMetrics = {
  /** A newest page came from the hot cache, or from PostgreSQL. */
  cacheHit(): void;
  cacheMiss(): void;
  /** A room was taken into the hot cache, or could not be. */
  refilled(succeeded: boolean): void;
  /** A read waited for a position; `reached` says whether in time. */
  waited(reached: boolean): void;
};

export function createReadMetrics(registry: Metrics): ReadMetrics {
  const registers = [registry];
  const pages = new Counter({
    name: 'roomlog_read_newest_pages_total',
    help: 'Newest pages of rooms by where they came from: the hit rate of the hot cache.',
    labelNames: ['cache'] as const,
    registers,
  });
  const refills = new Counter({
    name: 'roomlog_read_cache_refills_total',
    help: 'Rooms read from PostgreSQL to be taken into the hot cache.',
    labelNames: ['outcome'] as const,
    registers,
  });
  const waits = new Counter({
    name: 'roomlog_read_position_waits_total',
    help: 'Reads that asked for a position of the log.',
    labelNames: ['outcome'] as const,
    registers,
  });
  return {
    cacheHit: () => pages.inc({ cache: 'hit' }),
    cacheMiss: () => pages.inc({ cache: 'miss' }),
    refilled: (succeeded) => refills.inc({ outcome: succeeded ? 'filled' : 'not filled' }),
    waited: (reached) => waits.inc({ outcome: reached ? 'reached' : 'behind' }),
  };
}
