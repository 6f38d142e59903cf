// A socket node as a process of its own, on a log in memory of its own and on Redis. Its argument is a JSON text { port, prefix, roomId,
// members }: the room is there with these members. It prints its URL as a line, and ends with its standard input, so that none
// is left behind by a test that dies.
import { openRealtimeWorld } from './realtime-world.ts';
import { openRedisSharing } from './redis-sharing.ts';

export type RealtimeNodeArgument = { port: number; prefix: string; roomId: string; members: [string, ...string[]] };

const { port, prefix, roomId, members } = JSON.parse(process.argv[2] ?? '{}') as RealtimeNodeArgument;
process.stdin.resume().once('end', () => process.exit(0));
const world = await openRealtimeWorld(await openRedisSharing({ host: '127.0.0.1', port }, prefix));
await world.createRoom(roomId, ...members);
const node = await world.openNode();
process.stdout.write(`${node.url}\n`);
