// Sets whose members go away by themselves unless they are added again: who is present, who is active. A port with a twin in
// memory (one process) and one in Redis (many processes), held to one contract suite. Nothing in here is worth keeping over a
// restart, so callers go on without it when it cannot be reached.
import type { Clock } from './clock.ts';
import type { RedisClient } from './redis.ts';

export type ExpiringSets = {
  /**
   * Adds the member, or renews it, for `ttlMs` milliseconds from now. Resolves with whether it was not there before: of many
   * callers at once exactly one is told so. Throws ExpiringSetsUnavailableError.
   */
  add(key: string, member: string, ttlMs: number): Promise<boolean>;
  /** Takes the member out. Resolves with whether it was there and had not expired. Throws ExpiringSetsUnavailableError. */
  remove(key: string, member: string): Promise<boolean>;
  /**
   * Adds or renews all of them in one go, and takes all of them out; at most MAX_MANY at a time. Where it throws
   * ExpiringSetsUnavailableError some of it may have been done.
   */
  addMany(key: string, members: readonly string[], ttlMs: number): Promise<void>;
  removeMany(key: string, members: readonly string[]): Promise<void>;
  /** The members that have not expired, in no particular order. Throws ExpiringSetsUnavailableError. */
  members(key: string): Promise<string[]>;
};

/** Members of one `addMany` or `removeMany`: what a script in Redis takes without holding up everybody else there. */
export const MAX_MANY = 500;

/** The sets cannot be reached, or hold as much as they may: go on without them and try again later. */
export class ExpiringSetsUnavailableError extends Error {
  override readonly name = 'ExpiringSetsUnavailableError';
  readonly code = 'expiring_sets_unavailable';
  readonly retryable = true;
}

export type MemorySetsOptions = {
  clock: Clock;
  /** Members of all sets together; one more that is still new after a sweep is refused with ExpiringSetsUnavailableError. */
  maxMembers: number;
};

const SWEEP_EVERY_MS = 5_000;

/** The twin in memory. It needs no timer: adding sweeps everything that has expired, at most every 5 s. */
export function createMemoryExpiringSets(options: MemorySetsOptions): ExpiringSets {
  const { clock, maxMembers } = options;
  const expiriesByKey = new Map<string, Map<string, number>>();
  let size = 0;
  let sweptAt = clock.now();

  function sweep(now: number): void {
    sweptAt = now;
    for (const [key, expiryByMember] of expiriesByKey) {
      for (const [member, expiry] of expiryByMember) if (expiry <= now) drop(key, expiryByMember, member);
    }
  }

  function drop(key: string, expiryByMember: Map<string, number>, member: string): void {
    expiryByMember.delete(member);
    size -= 1;
    if (expiryByMember.size === 0) expiriesByKey.delete(key);
  }

  function add(key: string, member: string, ttlMs: number): boolean {
    const now = clock.now();
    if (now - sweptAt >= SWEEP_EVERY_MS || size >= maxMembers) sweep(now);
    const known = expiriesByKey.get(key)?.get(member);
    if (known === undefined && size >= maxMembers) {
      throw new ExpiringSetsUnavailableError(`the sets in memory hold ${maxMembers} members, which is all they may`);
    }
    let expiryByMember = expiriesByKey.get(key);
    if (expiryByMember === undefined) {
      expiryByMember = new Map();
      expiriesByKey.set(key, expiryByMember);
    }
    expiryByMember.set(member, now + ttlMs);
    if (known === undefined) size += 1;
    return known === undefined || known <= now;
  }

  function remove(key: string, member: string): boolean {
    const expiryByMember = expiriesByKey.get(key);
    const known = expiryByMember?.get(member);
    if (expiryByMember === undefined || known === undefined) return false;
    drop(key, expiryByMember, member);
    return known > clock.now();
  }

  return {
    add: async (key, member, ttlMs) => add(key, member, ttlMs),
    remove: async (key, member) => remove(key, member),
    async addMany(key, members, ttlMs) {
      for (const member of members) add(key, member, ttlMs);
    },
    async removeMany(key, members) {
      for (const member of members) remove(key, member);
    },

    async members(key) {
      const now = clock.now();
      const entries = [...(expiriesByKey.get(key) ?? [])];
      return entries.filter(([, expiry]) => expiry > now).map(([member]) => member);
    },
  };
}

/* One sorted set a key, scored by when each member expires. All times are the Redis server's own, so that nodes whose clocks
   differ agree on who is there. The key itself expires with its last member, so an abandoned set costs nothing for long. */
const NOW = `local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)`;

const ADD = `${NOW}
local ttl = tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local added = redis.call('ZADD', KEYS[1], now + ttl, ARGV[1])
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
return added`;

const ADD_MANY = `${NOW}
local ttl = tonumber(ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local scored = {}
for index = 2, #ARGV do
  scored[#scored + 1] = now + ttl
  scored[#scored + 1] = ARGV[index]
end
redis.call('ZADD', KEYS[1], unpack(scored))
if redis.call('PTTL', KEYS[1]) < ttl then redis.call('PEXPIRE', KEYS[1], ttl) end
return 1`;

const REMOVE = `${NOW}
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
return (score and tonumber(score) > now) and 1 or 0`;

const MEMBERS = `${NOW}
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')`;

/** The twin in Redis. `prefix` keeps its keys apart from everything else there. The client stays the caller's to close. */
export function createRedisExpiringSets(redis: RedisClient, prefix: string): ExpiringSets {
  return {
    add: async (key, member, ttlMs) => (await reach(() => redis.eval(ADD, 1, prefix + key, member, ttlMs))) === 1,
    remove: async (key, member) => (await reach(() => redis.eval(REMOVE, 1, prefix + key, member))) === 1,
    async addMany(key, members, ttlMs) {
      if (members.length > 0) await reach(() => redis.eval(ADD_MANY, 1, prefix + key, ttlMs, ...members));
    },
    async removeMany(key, members) {
      if (members.length > 0) await reach(() => redis.zrem(prefix + key, ...members));
    },
    members: async (key) => (await reach(() => redis.eval(MEMBERS, 1, prefix + key))) as string[],
  };
}

async function reach(command: () => Promise<unknown>): Promise<unknown> {
  try {
    return await command();
  } catch (error) {
    throw new ExpiringSetsUnavailableError('the sets in Redis cannot be reached', { cause: error });
  }
}
