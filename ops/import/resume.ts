// Where an import goes on. Nothing is remembered beside the server: the newest messages of each room carry the commandId of the
// line they came from. As no line is started that is a whole window ahead of the first unfinished one (schedule.ts), every line
// up to `newest line - window` is done; of the lines behind it those whose message is already there are left out, and the others
// are sent again under the commandIds they had, which the server knows.
import { roomIdOf } from '../../commands/client/room-id.ts';
import { lineOfCommand } from './planner.ts';
import { type CreatedRoom, insist, type MessagePage, RefusedError, type RestClient } from './rest-client.ts';

export type ResumePoint = {
  roomIdByName: Map<string, string>;
  /** The first line that may not be done. */
  firstLine: number;
  /** Lines from firstLine on whose message is in its room already. */
  linesThere: Set<number>;
};

/** Creates the rooms that are not there and finds where to go on. Rejects like `insist`. */
export async function findResumePoint(options: {
  rest: RestClient;
  /** The user that the token speaks for. */
  operatorId: string;
  fileId: string;
  spaceId: string;
  rooms: readonly string[];
  window: number;
}): Promise<ResumePoint> {
  const { rest, fileId, window } = options;
  const roomIdByName = new Map<string, string>();
  const lines: number[] = [];
  for (const name of options.rooms) {
    const roomId = await createRoom(options, name);
    roomIdByName.set(name, roomId);
    lines.push(...(await newestLines({ rest, fileId, roomId, window })));
  }
  const newest = lines.reduce((max, line) => Math.max(max, line), -1);
  const firstLine = Math.max(0, newest - window + 1);
  return { roomIdByName, firstLine, linesThere: new Set(lines.filter((line) => line >= firstLine)) };
}

const PAGE = 100;

/** The room's id, whether it is made now or was made by an earlier run, however long ago. */
async function createRoom(
  options: { rest: RestClient; operatorId: string; fileId: string; spaceId: string },
  name: string,
): Promise<string> {
  const commandId = `${options.fileId}:room:${options.spaceId}:${name}`;
  const room = { roomid: options.spaceId, name, description: `Imported from file ${options.fileId}.`, commandId };
  try {
    const create = () => options.rest.post<CreatedRoom>('/api/v1/chatroom/create', room);
    return (await insist(`creating room ${name}`, create)).chatroom.id;
  } catch (error) {
    // The server remembers the newest commands of a room only; this one was long ago.
    if (!(error instanceof RefusedError) || error.code !== 'room_exists') throw error;
    return roomIdOf({ userId: options.operatorId, commandId });
  }
}

/**
 * The lines of this file among the newest messages of the room, newest first: of so many messages that they reach a whole window
 * back. Messages of others in between are passed over. The operator's join has nothing to do, but its answer tells how far the
 * log is, and the pages are asked for at that position: a read model that lags would make the import go on too early.
 */
async function newestLines(room: {
  rest: RestClient;
  fileId: string;
  roomId: string;
  window: number;
}): Promise<number[]> {
  const { rest, fileId, roomId, window } = room;
  const joined = await insist('asking for the position', () =>
    rest.post<{ position: string }>('/api/v1/chatroom/join', { chatroomId: roomId }),
  );
  const lines: number[] = [];
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({ chatroomId: roomId, limit: String(PAGE) });
    if (cursor !== undefined) query.set('before', cursor);
    const page = await insist('reading the newest messages', () =>
      rest.get<MessagePage>(`/api/v1/messages?${query}`, { 'x-min-position': joined.position }),
    );
    for (const { commandId } of page.messages) {
      const line = lineOfCommand(fileId, commandId);
      if (line !== null) lines.push(line);
    }
    cursor = page.nextCursor;
  } while (cursor !== undefined && (lines.length === 0 || Math.min(...lines) > Math.max(...lines) - window));
  return lines;
}
