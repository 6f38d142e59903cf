import { setTimeout as wait } from 'node:timers/promises';
import { describe, it } from 'mocha';
import { openKafkaHarness } from '../../tests/support/kafka-harness.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { openTcpProxy } from '../../tests/support/tcp-proxy.ts';
import { until } from '../contract/log-probe.ts';
import { KafkaConnections } from './kafka-connections.ts';

describe('connections to Kafka', () => {
  it('leave no socket behind, in whatever moment of opening they are closed', async () => {
    const harness = await openKafkaHarness(1);
    const [host = '', port = ''] = (stackEnv.kafkaBrokers()[0] ?? '').split(':');
    const proxy = await openTcpProxy({ host, port: Number(port) });
    // Slow enough for every step of opening to be hit: connecting, versions, metadata, connecting to the leader.
    proxy.delay(4);
    try {
      for (let closedAfterMs = 0; closedAfterMs < 40; closedAfterMs++) {
        const connections = new KafkaConnections({
          ...{ brokers: stackEnv.kafkaBrokers(), topic: harness.topic, clientId: 'roomlog-test' },
          ...{ connectTimeoutMs: 500, requestTimeoutMs: 1_000, route: () => ({ host: proxy.host, port: proxy.port }) },
        });
        const opening = connections.toLeader(0).catch(() => undefined);
        if (closedAfterMs > 0) await wait(closedAfterMs);
        connections.close();
        await opening;
      }
      await until('all sockets are gone', () => proxy.connections() === 0, 3_000);
    } finally {
      await proxy.close();
      await harness.close();
    }
  });
});
