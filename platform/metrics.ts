// One prom-client registry per process. Metrics are declared by name in <folder>/metrics.ts; labels are bounded: never a room or
// a user.
import { collectDefaultMetrics, Registry } from 'prom-client';

export type Metrics = Registry;

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}
