// A process of its own that takes part in ownership, and prints every assignment as a line of JSON. Its argument is a JSON text
// { on: 'kafka' | 'postgres', place, … }: the topic or the schema, and the options of the port without onAssigned. It ends with
// its standard input, so that none is left behind by a test that dies.
import { kafkaOwnership } from '../../event-log/kafka/kafka-ownership.ts';
import type { OwnershipOptions } from '../../event-log/ownership/ownership.ts';
import { postgresOwnership } from '../../event-log/postgres/postgres-ownership.ts';
import { createLogger } from '../../platform/logger.ts';
import { stackEnv } from './stack-env.ts';

export type OwnershipProcessArgument = Omit<OwnershipOptions, 'onAssigned'> & {
  on: 'kafka' | 'postgres';
  place: string;
};

const { on, place, ...rest } = JSON.parse(process.argv[2] ?? '{}') as OwnershipProcessArgument;
const options: OwnershipOptions = {
  ...rest,
  onAssigned: ({ mine, addressByPartition }) =>
    process.stdout.write(`${JSON.stringify({ mine, addresses: [...addressByPartition] })}\n`),
};
const ownership =
  on === 'kafka'
    ? kafkaOwnership({ ...options, brokers: stackEnv.kafkaBrokers(), topic: place, clientId: 'roomlog-test' })
    : postgresOwnership({
        ...options,
        databaseUrl: stackEnv.databaseUrl(),
        schema: place,
        logger: createLogger('test', 'silent'),
      });
process.stdin.resume().once('end', () => process.exit(0));
await ownership.run();
