// Rooms and members for the load generator's users, through the REST API, by an operator.
import { type CreatedRoom, createRestClient, insist } from '../ops/import/rest-client.ts';
import { signToken } from '../platform/auth.ts';
import type { GeneratorRun } from './generator.ts';
import type { Servers } from './servers.ts';

/** Socket n is of user n and in room n mod rooms. */
export type RoomsWanted = { sockets: number; rooms: number };

const USER_PREFIX = 'bench-';
const TOKEN_SECONDS = 3_600;
const JOINS_AT_ONCE = 500;

/** Resolves with what the generator has to be told once all of it can be read back. */
export async function prepareRooms(servers: Servers, wanted: RoomsWanted): Promise<Omit<GeneratorRun, 'mode'>> {
  const token = signToken({ userId: 'bench-operator', isOperator: true }, servers.secret, TOKEN_SECONDS);
  const write = createRestClient({ url: servers.restUrl, token, connections: 16, timeoutMs: 10_000 });
  const read = createRestClient({ url: servers.readUrl, token, connections: 16, timeoutMs: 10_000 });
  const roomIds: string[] = [];
  for (let room = 0; room < wanted.rooms; room++) {
    const body = { roomid: 'bench', name: `Bench ${room}` };
    const created = await insist('create', () => write.post<CreatedRoom>('/api/v1/chatroom/create', body));
    roomIds.push(created.chatroom.id);
  }
  const newest = new Map<string, { position: string; offset: number }>();
  const join = async (socket: number) => {
    const userId = `${USER_PREFIX}${socket}`;
    const chatroomId = roomIds[socket % wanted.rooms] ?? '';
    const body = { chatroomId, onBehalfOf: { userId, username: userId } };
    const { position } = await insist('join', () => write.post<{ position: string }>('/api/v1/chatroom/join', body));
    const offset = Number(position.split('-')[1]);
    if (offset > (newest.get(chatroomId)?.offset ?? -1)) newest.set(chatroomId, { position, offset });
  };
  for (let first = 0; first < wanted.sockets; first += JOINS_AT_ONCE) {
    const last = Math.min(first + JOINS_AT_ONCE, wanted.sockets);
    await Promise.all(Array.from({ length: last - first }, (_, n) => join(first + n)));
  }
  for (const [roomId, { position }] of newest) {
    const path = `/api/v1/messages?chatroomId=${encodeURIComponent(roomId)}&limit=1`;
    await insist('read back', () => read.get(path, { 'x-min-position': position }));
  }
  write.close();
  read.close();
  const { secret, processes } = servers;
  return {
    address: servers.socketUrl.host,
    secret,
    roomIds,
    sockets: wanted.sockets,
    userPrefix: USER_PREFIX,
    processes,
  };
}
