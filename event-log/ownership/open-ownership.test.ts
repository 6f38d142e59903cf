import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { createLogger } from '../../platform/logger.ts';
import type { EventLogSettings } from '../config.ts';
import { openOwnership } from './open-ownership.ts';

/** Nobody listens on port 1. */
const SETTINGS: EventLogSettings[] = [
  { kind: 'postgres', databaseUrl: 'postgres://nobody@127.0.0.1:1/none', partitions: 4, ownerSessionMs: 6_000 },
  {
    kind: 'kafka',
    brokers: ['127.0.0.1:1'],
    registryUrl: 'http://127.0.0.1:1',
    topic: 'none',
    partitions: 4,
    replicationFactor: 1,
    ownerSessionMs: 6_000,
  },
];

describe('the ownership that belongs to a log', () => {
  for (const settings of SETTINGS) {
    it(`OWN-17 on ${settings.kind} waits for a server that is not there yet, and can be stopped meanwhile`, async () => {
      const ownership = openOwnership(settings, {
        role: 'commands',
        partitions: settings.partitions,
        address: 'http://here',
        sessionMs: settings.ownerSessionMs,
        onAssigned: () => assert.fail('nobody can have assigned anything'),
        clientId: 'roomlog-test',
        logger: createLogger('test', 'silent'),
      });
      const running = ownership.run();
      await ownership.handOver(300);
      await ownership.stop();
      await running;
    });
  }
});
