// `node bench/owner.ts`: what deciding costs alone. 200 senders, each waiting for its answer, over a log in memory, so that
// nothing but the write side's own work is measured: deciding, encoding, folding, answering.
import { Registry } from 'prom-client';
import { Executor } from '../commands/executor.ts';
import { createCommandMetrics } from '../commands/metrics.ts';
import { openCodec } from '../event-log/codec/codec.ts';
import { folderSchemas } from '../event-log/codec/folder-schemas.ts';
import { openMemoryEventLog } from '../event-log/memory/memory-event-log.ts';
import { MemoryStore } from '../event-log/memory/memory-store.ts';
import { partitionOf } from '../event-log/partition-of.ts';
import { uuidv7Ids } from '../platform/ids.ts';
import { createLogger } from '../platform/logger.ts';
import { systemTime } from '../platform/time.ts';
import { type Command, type CommandBody, streamOfRoom } from '../schemas/commands.ts';
import { isRejection } from '../schemas/rejections.ts';

const PARTITIONS = 8;
const SENDERS = 200;
const ROOMS = 20;
const COMMANDS = 100_000;
const ROUNDS = 5;
const TEXT = 'a message of the length that messages in chats usually have, more or less';

const { log } = openMemoryEventLog(new MemoryStore(PARTITIONS));
const executor = new Executor({
  log,
  codec: await openCodec(folderSchemas()),
  ids: uuidv7Ids,
  logger: createLogger('bench', 'warn'),
  metrics: createCommandMetrics(new Registry()),
  written: null,
  snapshots: null,
  time: systemTime,
});
const running = executor.run();
executor.assign(Array.from({ length: PARTITIONS }, (_, partition) => partition));
await executor.loaded();
for (let sender = 0; sender < SENDERS; sender++) {
  const roomId = roomOf(sender);
  if (sender < ROOMS)
    await run(sender, { type: 'CreateRoom', roomId, spaceId: 's', name: roomId, description: '', isPrivate: false });
  await run(sender, { type: 'JoinRoom', roomId });
}
for (let round = 1; round <= ROUNDS; round++) await measure(round);
await executor.stop();
await running;
await log.close();

async function measure(round: number): Promise<void> {
  let left = COMMANDS;
  const began = performance.now();
  const cpuBefore = process.cpuUsage();
  const send = async (sender: number) => {
    while (left-- > 0) {
      const messageId = uuidv7Ids.next();
      await run(sender, {
        type: 'SendMessage',
        roomId: roomOf(sender),
        messageId,
        text: TEXT,
        replyTo: null,
        originalTime: null,
      });
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, (_, sender) => send(sender)));
  const seconds = (performance.now() - began) / 1_000;
  const cpu = process.cpuUsage(cpuBefore);
  const micros = (cpu.user + cpu.system) / COMMANDS;
  const heap = Math.round(process.memoryUsage().heapUsed / 1e6);
  console.log(
    `round ${round}: ${Math.round(COMMANDS / seconds)} commands/s, ${micros.toFixed(1)} µs CPU each, ${heap} MB`,
  );
}

async function run(sender: number, body: CommandBody): Promise<void> {
  const userId = `user-${sender}`;
  const command: Command = {
    body,
    actor: { userId, username: userId },
    onBehalfOf: null,
    isOperator: false,
    commandId: uuidv7Ids.next(),
    correlationId: 'bench',
    now: Date.now(),
  };
  const partition = partitionOf(streamOfRoom(command.body.roomId), PARTITIONS);
  const answer = await executor.execute(partition, command);
  if (isRejection(answer)) throw new Error(answer.rejected);
}

function roomOf(sender: number): string {
  return `room-${sender % ROOMS}`;
}
