// `node bench/takeover.ts [--runs 5]`: two commands processes on Kafka, one of which goes: by SIGKILL, by SIGTERM, or because the
// broker does. How long until a command for one of its rooms is accepted, and what passing a command on costs.
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { INTERNAL_COMMANDS_PURPOSE, INTERNAL_OWNERS_PATH, OwnersAnswer } from '../commands/client/command-wire.ts';
import { partitionOf } from '../event-log/partition-of.ts';
import { type Stack, startStack } from '../ops/stack/start-stack.ts';
import { signToken } from '../platform/auth.ts';
import { freePort } from '../platform/free-port.ts';
import { serviceToken } from '../platform/service-token.ts';
import { streamOfRoom } from '../schemas/commands.ts';
import { type RoleProcess, startRole } from '../tests/e2e/support/role-process.ts';
import { createFreshDatabase } from '../tests/support/fresh-database.ts';
import { describeMachine } from './processor-time.ts';

const CACHE = fileURLToPath(new URL('../.cache', import.meta.url));
const PARTITIONS = 4;
const ROOMS = 32;
/** Between two attempts at a command that counts as the first accepted one; many are under way at once. */
const PROBE_MS = 20;
const GIVE_UP_MS = 60_000;
const FORWARDS = 2_000;
const CLIENTS = 8;
/** Of a client at one command. */
const ATTEMPTS = 8;

type Node = { url: string; process: RoleProcess };
type Probe = { at: number; status: number };

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const runs = Number(values.runs);
const dataDir = await mkdtemp(join(tmpdir(), 'roomlog-takeover-'));
const stack = await startStack({ dataDir, cacheDir: CACHE, onProgress: (line) => console.error(line) });
try {
  console.log(describeMachine());
  const figures = new Map<string, number[]>();
  for (let run = 1; run <= runs; run++) {
    for (const [name, value] of await measureOnce(stack)) figures.set(name, [...(figures.get(name) ?? []), value]);
    console.error(`run ${run} of ${runs} is done`);
  }
  for (const [name, all] of figures) {
    const sorted = all.toSorted((left, right) => left - right);
    const [least, middle, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)].map((one) => one?.toFixed(2));
    console.log(`${name.padEnd(64)} median ${middle}   (${least} to ${most})`);
  }
} finally {
  await stack.stop();
  await rm(dataDir, { recursive: true, force: true });
}

async function measureOnce(servers: Stack): Promise<[string, number][]> {
  const database = await createFreshDatabase(servers.env.DATABASE_URL ?? '', 'takeover');
  const env = {
    ...servers.env,
    DATABASE_URL: database.url,
    LOG_TOPIC: database.name,
    LOG_PARTITIONS: String(PARTITIONS),
    RATE_LIMIT_PER_SECOND: '0',
    LOG_LEVEL: 'warn',
  };
  const [first, second] = [await startNode(env), await startNode(env)];
  const nodes = [first, second];
  try {
    const rooms = await createRooms(first);
    await untilShared(first, [first, second]);
    const forwarding = await measureForwarding(first, second, rooms);
    const broker = await measureBrokerRestart(servers, first, rooms[0] ?? '');
    await untilShared(first, [first, second]);
    const handOver = await measureHandOver(first, second, rooms);
    nodes[1] = await startNode(env);
    await untilShared(first, nodes);
    const rolling = await measureRollingRestart(nodes, env, rooms);
    const [kept = first, killed = first] = nodes;
    const kill = await measureKill(kept, killed, rooms);
    return [...forwarding, ...broker, ...handOver, ...rolling, ...kill];
  } finally {
    for (const node of nodes) if (node.process.isRunning) await node.process.stop();
    await database.drop();
  }
}

async function startNode(env: Record<string, string>): Promise<Node> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const nodeEnv = { ...env, CHAT_SERVICE_PORT: String(port), COMMANDS_ADVERTISED_URL: url };
  return { url, process: await startRole({ file: 'commands/main.ts', env: nodeEnv, readyUrl: `${url}/ready` }) };
}

/** From SIGKILL to the first accepted command for a room of the killed process, with the session time-out inside. */
async function measureKill(kept: Node, gone: Node, rooms: string[]): Promise<[string, number][]> {
  const room = roomOf(gone, await ownersAt(kept), rooms);
  await mustSend(kept, room);
  const began = performance.now();
  await gone.process.kill();
  const accepted = await untilAccepted(kept, room);
  return [['SIGKILL of an owner to first accepted command, s', (accepted - began) / 1_000]];
}

/** The longest time between two accepted commands for a room of a process that is told to stop. */
async function measureHandOver(kept: Node, gone: Node, rooms: string[]): Promise<[string, number][]> {
  const room = roomOf(gone, await ownersAt(kept), rooms);
  let isOver = false;
  let longest = 0;
  const sending = (async () => {
    for (let last = performance.now(); !isOver; ) {
      if ((await send(kept, room)) === 201) {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      }
      await sleep(5);
    }
  })();
  await sleep(300);
  const began = performance.now();
  await gone.process.stop();
  const stopMs = performance.now() - began;
  await sleep(500);
  isOver = true;
  await sending;
  return [
    ['graceful hand-over: longest time between two accepted commands, s', longest / 1_000],
    ['graceful hand-over: the process has ended after, s', stopMs / 1_000],
  ];
}

/**
 * Every process is stopped and started again, one after the other, while clients send through all of them as a gateway spreads them:
 * to another process where a connection is refused, and again with the same commandId where they are told so.
 */
async function measureRollingRestart(
  nodes: Node[],
  env: Record<string, string>,
  rooms: string[],
): Promise<[string, number][]> {
  const running = [...nodes];
  let isOver = false;
  const counts = { commands: 0, toldToTryAgain: 0, failed: 0 };
  const client = async (number: number): Promise<void> => {
    for (let turn = number; !isOver; turn++) {
      counts.commands++;
      const outcome = await sendAsClients(() => running[turn++ % running.length], rooms[turn % rooms.length] ?? '');
      counts.toldToTryAgain += outcome.toldToTryAgain;
      if (!outcome.isAccepted) counts.failed++;
      await sleep(10);
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number)));
  for (const [index, node] of nodes.entries()) {
    await sleep(500);
    await node.process.stop();
    running[index] = await startNode(env);
    await untilShared(running[index], running);
  }
  isOver = true;
  await clients;
  nodes.splice(0, nodes.length, ...running);
  return [
    ['rolling restart: commands sent', counts.commands],
    ['rolling restart: answers that said to try again', counts.toldToTryAgain],
    ['rolling restart: commands that failed', counts.failed],
  ];
}

async function sendAsClients(
  nextNode: () => Node | undefined,
  chatroomId: string,
): Promise<{ isAccepted: boolean; toldToTryAgain: number }> {
  const commandId = randomUUID();
  let toldToTryAgain = 0;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const node = nextNode();
    if (node === undefined) break;
    try {
      const answer = await post(node, '/api/v1/messages', { chatroomId, message: 'hello', commandId });
      await answer.arrayBuffer();
      if (answer.status === 201) return { isAccepted: true, toldToTryAgain };
      if (answer.status !== 503) break;
      toldToTryAgain++;
      await sleep(Number(answer.headers.get('retry-after')) * 1_000);
    } catch (error) {
      // Refused, or ended by a process that is gone: the next one is asked at once.
      if (!(error instanceof TypeError)) throw error;
    }
  }
  return { isAccepted: false, toldToTryAgain };
}

/** From the moment at which the restarted broker answers to the first accepted command. */
async function measureBrokerRestart(servers: Stack, node: Node, room: string): Promise<[string, number][]> {
  await servers.kill('kafka');
  await sleep(3_000);
  const accepted = untilAccepted(node, room);
  await servers.restart('kafka');
  const answers = performance.now();
  return [
    ['broker answers after a restart to first accepted command, s', Math.max(0, (await accepted) - answers) / 1_000],
  ];
}

/** One command after the other, in turn to the owner and to the other process. */
async function measureForwarding(first: Node, second: Node, rooms: string[]): Promise<[string, number][]> {
  const room = roomOf(first, await ownersAt(first), rooms);
  const took = { owner: [] as number[], other: [] as number[] };
  for (let index = 0; index < FORWARDS; index++) {
    for (const [name, node] of [
      ['owner', first],
      ['other', second],
    ] as const) {
      const began = performance.now();
      await mustSend(node, room);
      if (index >= FORWARDS / 10) took[name].push(performance.now() - began);
    }
  }
  return [
    ['REST command sent to the owner, p50 ms', percentile(took.owner, 50)],
    ['REST command sent to another process, p50 ms', percentile(took.other, 50)],
    ['REST command sent to the owner, p99 ms', percentile(took.owner, 99)],
    ['REST command sent to another process, p99 ms', percentile(took.other, 99)],
  ];
}

async function createRooms(node: Node): Promise<string[]> {
  const rooms: string[] = [];
  for (let room = 0; room < ROOMS; room++) {
    const answer = await post(node, '/api/v1/chatroom/create', { roomid: 'bench', name: `Room ${room}` });
    const { chatroom } = (await answer.json()) as { chatroom: { id: string } };
    rooms.push(chatroom.id);
  }
  return rooms;
}

async function untilShared(node: Node, all: Node[]): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  for (;;) {
    const owners = await ownersAt(node);
    if (all.every(({ url }) => owners.includes(url)) && owners.every((owner) => all.some(({ url }) => url === owner)))
      return;
    if (performance.now() > deadline) throw new Error(`the partitions are not shared out: ${owners.join(', ')}`);
    await sleep(PROBE_MS);
  }
}

async function ownersAt(node: Node): Promise<readonly string[]> {
  const token = serviceToken(stack.env.JWT_SECRET ?? '', INTERNAL_COMMANDS_PURPOSE);
  const answer = await fetch(`${node.url}${INTERNAL_OWNERS_PATH}`, { headers: { authorization: `Bearer ${token}` } });
  return OwnersAnswer.parse(await answer.json()).owners;
}

function roomOf(node: Node, owners: readonly string[], rooms: string[]): string {
  const room = rooms.find((id) => owners[partitionOf(streamOfRoom(id), PARTITIONS)] === node.url);
  if (room === undefined) throw new Error(`no room lies in a partition of ${node.url}`);
  return room;
}

/** When the first of many attempts, begun one every PROBE_MS, was accepted. */
async function untilAccepted(node: Node, room: string): Promise<number> {
  const deadline = performance.now() + GIVE_UP_MS;
  const accepted: Probe[] = [];
  while (accepted.length === 0) {
    if (performance.now() > deadline) throw new Error('no command is accepted');
    void send(node, room).then((status) => {
      if (status === 201) accepted.push({ at: performance.now(), status });
    });
    await sleep(PROBE_MS);
  }
  return accepted[0]?.at ?? Number.NaN;
}

async function mustSend(node: Node, room: string): Promise<void> {
  const status = await send(node, room);
  if (status !== 201) throw new Error(`a command was answered ${status}`);
}

async function send(node: Node, chatroomId: string): Promise<number> {
  const answer = await post(node, '/api/v1/messages', { chatroomId, message: 'hello' });
  await answer.arrayBuffer();
  return answer.status;
}

function post(node: Node, path: string, body: object): Promise<Response> {
  const token = signToken({ userId: 'bench', username: 'bench' }, stack.env.JWT_SECRET ?? '', 3_600);
  return fetch(`${node.url}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

function percentile(values: number[], percent: number): number {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}
