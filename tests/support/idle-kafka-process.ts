// A process of its own that has a Kafka event log open and follows all its partitions while nothing happens, and prints how many
// milliseconds of processor time that took. Arguments: topic, partitions, milliseconds to measure.
import { setTimeout as wait } from 'node:timers/promises';
import { openKafkaEventLog } from '../../event-log/kafka/kafka-event-log.ts';
import { kafkaOptions } from './kafka-harness.ts';

/** Milliseconds for what a process does once only: compiling what it has just run, collecting garbage. */
const SETTLE_MS = 1_000;

const [topic = '', partitions = '0', measuredMs = '0'] = process.argv.slice(2);
const log = await openKafkaEventLog(kafkaOptions(topic, Number(partitions)));
const from = new Map<number, number>();
for (let partition = 0; partition < log.partitions; partition++) from.set(partition, await log.head(partition));
await log.append(0, from.get(0) ?? 0, [
  { key: 'room-idle', value: Buffer.from('opens the connection of appends, too') },
]);
const follower = log.follow({ from, handle: () => undefined });
const running = follower.run();
await wait(SETTLE_MS);
const before = process.cpuUsage();
await wait(Number(measuredMs));
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${(user + system) / 1_000}\n`);
await log.close();
await running;
