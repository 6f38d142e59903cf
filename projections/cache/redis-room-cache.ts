// The hot cache that many processes share; the scripts and the keys are explained in redis-room-scripts.ts.
import type { RedisClient } from '../../platform/redis.ts';
import { LIMITS } from '../../schemas/limits.ts';
import type { MessageView } from '../../schemas/wire.ts';
import { APPLY, BEGIN, END, FILL, IS_MEMBER, NEWEST, OPEN, START } from './redis-room-scripts.ts';
import {
  type CacheChunk,
  type CachedPage,
  MAX_CACHED_MEMBERS,
  type RoomCache,
  RoomCacheUnavailableError,
  type RoomFill,
  type RoomRun,
} from './room-cache.ts';

export type RedisRoomCacheOptions = {
  redis: RedisClient;
  /** Keeps the keys apart from everything else there. */
  prefix: string;
  /** A room that nobody has read for so long goes. */
  idleMs?: number;
};

const DEFAULT_IDLE_MS = 3_600_000;
/** A room that was opened and not filled in this time is forgotten. */
const OPEN_MS = 10_000;

/** Where the hot cache of a log is: several logs may share a Redis. */
export function roomCachePrefix(logTopic: string): string {
  return `roomlog:${logTopic}:cache:`;
}

/** The client stays the caller's to close. */
export function createRedisRoomCache(options: RedisRoomCacheOptions): RoomCache {
  const { redis, prefix } = options;
  const idleMs = options.idleMs ?? DEFAULT_IDLE_MS;
  const roomKeys = (roomId: string): [string, string, string] => [
    `${prefix}room:${roomId}`,
    `${prefix}messages:${roomId}`,
    `${prefix}members:${roomId}`,
  ];
  const positionKeys = (partition: number): [string, string] => [
    `${prefix}checkpoint:${partition}`,
    `${prefix}seen:${partition}`,
  ];

  const isPosition = (key: string): boolean =>
    key.startsWith(`${prefix}checkpoint:`) || key.startsWith(`${prefix}seen:`);

  async function unlinkAll(isWanted: (key: string) => boolean): Promise<void> {
    let cursor = '0';
    do {
      const [next, keys] = await reach(() => redis.scan(cursor, 'MATCH', `${globEscape(prefix)}*`, 'COUNT', 1_000));
      const wanted = keys.filter(isWanted);
      if (wanted.length > 0) await reach(() => redis.unlink(wanted));
      cursor = next;
    } while (cursor !== '0');
  }

  return {
    async newest(roomId, limit) {
      const page = await reach(() => redis.eval(NEWEST, 3, ...roomKeys(roomId), limit, idleMs, `${prefix}checkpoint:`));
      return page === null ? null : parsePage(page);
    },

    async isMember(roomId, userId) {
      const answer = await reach(() => redis.eval(IS_MEMBER, 1, roomKeys(roomId)[2], userId));
      return answer === -1 ? null : answer === 1;
    },

    async open(roomId, partition) {
      const keys = [...roomKeys(roomId), positionKeys(partition)[1]];
      const position = await reach(() => redis.eval(OPEN, 4, ...keys, OPEN_MS));
      return position === null ? null : Number(position);
    },

    async fill(room) {
      const keys = roomKeys(room.roomId);
      return (await reach(() => redis.eval(FILL, 3, ...keys, ...fillArguments(room, idleMs)))) === 1;
    },

    async apply(chunk) {
      const pipeline = redis.pipeline();
      const moves = moveArguments(chunk, positionKeys);
      pipeline.eval(BEGIN, moves.keys.length, ...moves.keys, ...moves.offsets);
      for (const roomId of chunk.dropped) pipeline.unlink(...roomKeys(roomId));
      for (const run of chunk.runs) pipeline.eval(APPLY, 3, ...roomKeys(run.roomId), ...runArguments(run));
      pipeline.eval(END, moves.keys.length, ...moves.keys, ...moves.offsets);
      const answers = (await reach(() => pipeline.exec())) ?? [];
      const failed = answers.find(([error]) => error !== null)?.[0];
      if (failed) throw new RoomCacheUnavailableError('the room cache refused a chunk', { cause: failed });
      return answers.at(0)?.[1] === 1 && answers.at(-1)?.[1] === 1 ? 'written' : 'fenced';
    },

    async positions(partitions) {
      if (partitions.length === 0) return new Map();
      const keys = partitions.map((partition) => positionKeys(partition)[0]);
      const values = await reach(() => redis.mget(keys));
      const known = partitions.map((partition, at) => [partition, values[at] ?? null] as const);
      return new Map(known.flatMap(([partition, value]) => (value === null ? [] : [[partition, Number(value)]])));
    },

    async start(positions) {
      const keys = [...positions.keys()].flatMap(positionKeys);
      await reach(() => redis.eval(START, keys.length, ...keys, ...positions.values()));
    },

    async drop(roomIds) {
      if (roomIds === 'all') await unlinkAll((key) => !isPosition(key));
      else if (roomIds.length > 0) await reach(() => redis.unlink(roomIds.flatMap(roomKeys)));
    },

    async clear() {
      // Rooms, then positions, so that who stops halfway finds the positions still wrong and clears again; then what others filled
      // meanwhile under the old positions.
      await unlinkAll((key) => !isPosition(key));
      await unlinkAll(isPosition);
      await unlinkAll((key) => !isPosition(key));
    },
  };
}

function moveArguments(
  { moves }: CacheChunk,
  positionKeys: (partition: number) => string[],
): { keys: string[]; offsets: number[] } {
  return {
    keys: [...moves.keys()].flatMap(positionKeys),
    offsets: [...moves.values()].flatMap(({ from, to }) => [from, to]),
  };
}

function fillArguments(room: RoomFill, idleMs: number): (string | number)[] {
  const members = room.memberIds.length > MAX_CACHED_MEMBERS ? [] : ['', ...room.memberIds];
  return [
    room.checkpoint,
    room.version,
    room.hasOlder ? 1 : 0,
    idleMs,
    room.partition,
    room.messages.length,
    ...room.messages.map((message) => JSON.stringify(message)),
    ...members,
  ];
}

function runArguments({ firstVersion, lastVersion, isCut, messages, members }: RoomRun): (string | number)[] {
  return [
    firstVersion,
    lastVersion,
    isCut ? 1 : 0,
    LIMITS.cachedMessages,
    messages.length,
    ...messages.flatMap((message) => [message.version, JSON.stringify(message)]),
    ...members.flatMap(({ version, isMember, userId }) => [version, isMember ? 1 : 0, userId]),
  ];
}

/** What NEWEST answers: the shape is that script's. */
function parsePage(answer: unknown): CachedPage {
  const [version, older, messages, partition, nextOffset] = answer as [number, number, string[], string, string];
  return {
    version,
    hasMore: older === 1,
    messages: messages.map((text) => JSON.parse(text) as MessageView),
    position: { partition: Number(partition), nextOffset: Number(nextOffset) },
  };
}

function globEscape(text: string): string {
  return text.replaceAll(/[\\*?[\]]/g, '\\$&');
}

async function reach<Answer>(command: () => Promise<Answer>): Promise<Answer> {
  try {
    return await command();
  } catch (error) {
    throw new RoomCacheUnavailableError('the room cache in Redis cannot be reached', { cause: error });
  }
}
