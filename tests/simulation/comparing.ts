// What a node holds for true cannot be looked at, but it can be asked: for everything that was done before, and for everything that
// would change nothing. All nodes must answer alike, old ones, and one that has read the log from its beginning.
import { isDeepStrictEqual } from 'node:util';
import { PartitionState } from '../../commands/partition/partition-state.ts';
import { type Command, type CommandBody, streamOfRoom } from '../../schemas/commands.ts';
import { testCodec } from '../support/write-side.ts';
import { createRoom, sendMessage, userOf } from './client.ts';
import { comparable } from './judge.ts';
import { ROOMS } from './scenario.ts';
import type { SimulatedNode } from './simulated-node.ts';
import type { World } from './world.ts';

const ROOM_IDS = Array.from({ length: ROOMS }, (_, room) => `room-${room}`);

/** Resolves when every node, and a new one, has answered as one does that has read everything. */
export async function askNodes(world: World, clients: number): Promise<void> {
  world.addNode();
  const commands = [...world.judge.commands(), ...questions(world, clients)];
  const probes = commands.flatMap((command) => {
    const expected = world.judge.expectedAnswer(command);
    return expected === null ? [] : [{ command, expected }];
  });
  await Promise.all(world.nodes.flatMap((node) => probes.map((probe) => ask(world, node, probe))));
}

/** Resolves when a new fold of the log has been compared with the true one. */
export async function foldAsNew(world: World): Promise<void> {
  const log = world.openLog('a new fold');
  const onBroken = (stream: string, reason: string): void => world.fail(`a new fold breaks ${stream}: ${reason}`);
  const state = new PartitionState({ log, codec: testCodec, partition: 0, onBroken });
  await state.readTo(await log.head(0));
  for (const stream of ROOM_IDS.map(streamOfRoom)) {
    const truth = world.truth.stateAt(stream, world.truth.head);
    const folded = { state: state.stateOf(stream), lastOffset: state.lastOffsetOf(stream) };
    if (!isDeepStrictEqual(folded, truth)) world.fail(`a new fold holds for ${stream} ${JSON.stringify(folded)}`);
  }
}

type Probe = { command: Command; expected: object };

async function ask(world: World, node: SimulatedNode, { command, expected }: Probe): Promise<void> {
  const answer = await node.ask(command);
  if (isDeepStrictEqual(comparable(answer), expected)) return;
  const told = `${JSON.stringify(answer)} to ${command.commandId}, not ${JSON.stringify(expected)}`;
  world.fail(`at the end ${node.process.name} answers ${told}`);
}

function questions(world: World, clients: number): Command[] {
  return ROOM_IDS.flatMap((roomId) => {
    const { state } = world.truth.stateAt(streamOfRoom(roomId), world.truth.head);
    const name = state.status === 'none' ? '' : state.name;
    const bodies: CommandBody[] = [
      createRoom(roomId, false),
      { type: 'JoinRoom', roomId },
      { type: 'LeaveRoom', roomId },
      { type: 'InviteMember', roomId, userId: userOf(0).userId },
      { type: 'ChangeRoomDetails', roomId, name },
      { type: 'ArchiveRoom', roomId },
      sendMessage(roomId, 'question'),
    ];
    return Array.from({ length: clients }, (_, client) => client).flatMap((client) =>
      bodies.map((body) => question(client, body)),
    );
  });
}

function question(client: number, body: CommandBody): Command {
  const commandId = `${body.type}-${body.roomId}-${client}?`;
  return {
    body,
    actor: userOf(client),
    onBehalfOf: null,
    isOperator: false,
    commandId,
    correlationId: commandId,
    now: 0,
  };
}
