// The contract on PostgreSQL, and what only this adapter promises.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'mocha';
import { createLogger } from '../../platform/logger.ts';
import { runSql } from '../../tests/support/fresh-database.ts';
import { type OwnershipPlace, ownershipHarness } from '../../tests/support/ownership-harness.ts';
import { stackEnv } from '../../tests/support/stack-env.ts';
import { PARTITIONS, untilAgreed } from '../ownership/contract/members.ts';
import { describeOwnershipContract } from '../ownership/ownership-contract.ts';
import { postgresOwnership } from './postgres-ownership.ts';

describeOwnershipContract('PostgreSQL', async () => ownershipHarness(freshPlace()));

describe('ownership on PostgreSQL alone', () => {
  it('forgets the leases of those that have gone', async () => {
    const place = freshPlace();
    const harness = ownershipHarness(place);
    const killed = await harness.spawn();
    const stays = harness.join();
    await untilAgreed([killed, stays], PARTITIONS);
    killed.signal('SIGKILL');
    await untilAgreed([stays], PARTITIONS);
    const leases = await runSql(stackEnv.databaseUrl(), `select address from ${place.place}.owner_leases`);
    assert.deepEqual(leases, [{ address: stays.address }]);
    await harness.close();
  });

  it('writes nothing to what is assigned while nobody comes or goes', async () => {
    const place = freshPlace();
    const harness = ownershipHarness(place);
    const members = [harness.join(), harness.join()];
    await untilAgreed(members, PARTITIONS);
    const generation = () => runSql(stackEnv.databaseUrl(), `select generation from ${place.place}.owner_assignments`);
    const before = await generation();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    assert.deepEqual(await generation(), before);
    await harness.close();
  });
});

function freshPlace(): OwnershipPlace {
  const databaseUrl = stackEnv.databaseUrl();
  const schema = `own_test_${randomBytes(6).toString('hex')}`;
  const url = new URL(databaseUrl);
  return {
    on: 'postgres',
    place: schema,
    server: { host: url.hostname, port: Number(url.port || 5432) },
    open: (options, through) => {
      const there = new URL(databaseUrl);
      if (through !== undefined) {
        there.hostname = through.host;
        there.port = String(through.port);
      }
      const logger = createLogger('test', 'silent');
      return postgresOwnership({ ...options, databaseUrl: there.href, schema, logger });
    },
    drop: async () => {
      await runSql(databaseUrl, `drop schema if exists ${schema} cascade`);
    },
  };
}
