// The Lua scripts of the hot cache in Redis. Three keys a room: a hash, a list, a set of the members.
//
// A room that is in: hash v (version), n (number of messages), o ('1': older ones exist), g (partition); the list holds the messages.
// A room that is open: hash p (position that its snapshot must have), b (number of kept runs); the list holds these runs.
//
// Redis may take one of the keys away alone (expiry, eviction), so the length of the list is compared with the hash each time,
// and a member set without its mark '' (no user id is empty) counts as absent.
//
// Positions have two keys a partition: `seen` is raised before events are applied and is what OPEN notes; `checkpoint` is moved
// after them and is where a restart goes on. They never expire: run Redis with noeviction or a volatile-* policy.
import { MAX_KEPT_RUNS } from './room-cache.ts';

/* KEYS room, list, members; ARGV limit, milliseconds until an unread room goes, what the keys of checkpoints begin with. An entry
   without a partition is of a build that noted none: it is dropped, and filled again. */
export const NEWEST = `
local entry = redis.call('HMGET', KEYS[1], 'v', 'n', 'o', 'g')
if not entry[1] or redis.call('LLEN', KEYS[2]) ~= tonumber(entry[2]) then return nil end
local position = entry[4] and redis.call('GET', ARGV[3] .. entry[4])
if not position then
  redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
  return nil
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
local limit = tonumber(ARGV[1])
local more = (entry[3] == '1' or tonumber(entry[2]) > limit) and 1 or 0
return {tonumber(entry[1]), more, redis.call('LRANGE', KEYS[2], -limit, -1), entry[4], position}`;

/* KEYS members; ARGV user. -1: not known. */
export const IS_MEMBER = `
if redis.call('SISMEMBER', KEYS[1], '') == 0 then return -1 end
return redis.call('SISMEMBER', KEYS[1], ARGV[1])`;

/* KEYS room, list, members, seen; ARGV milliseconds until a room that is not filled goes. */
export const OPEN = `
local entry = redis.call('HMGET', KEYS[1], 'v', 'p', 'b')
if entry[2] and redis.call('LLEN', KEYS[2]) == tonumber(entry[3]) then return entry[2] end
local seen = redis.call('GET', KEYS[4])
if not seen or entry[1] and redis.call('LLEN', KEYS[2]) == tonumber(redis.call('HGET', KEYS[1], 'n')) then return nil end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'p', seen, 'b', 0)
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return seen`;

/* A run that a room in the cache goes on with. run: first version, last version, '1' where it is cut, messages to keep, number of
   messages, then pairs of version and message, then triples of version, '1' or '0', and user. */
const ADVANCE = `
local function advance(run)
  local entry = redis.call('HMGET', KEYS[1], 'v', 'n')
  local version, first, last = tonumber(entry[1]), tonumber(run[1]), tonumber(run[2])
  if not version or first > version + 1 or redis.call('LLEN', KEYS[2]) ~= tonumber(entry[2]) then
    redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
    return
  end
  if last <= version then return end
  local at = 6
  for _ = 1, tonumber(run[5]) do
    if tonumber(run[at]) > version then redis.call('RPUSH', KEYS[2], run[at + 1]) end
    at = at + 2
  end
  local knows = redis.call('SISMEMBER', KEYS[3], '') == 1
  while knows and at <= #run do
    if tonumber(run[at]) > version then
      redis.call(run[at + 1] == '1' and 'SADD' or 'SREM', KEYS[3], run[at + 2])
    end
    at = at + 3
  end
  local kept, count = tonumber(run[4]), redis.call('LLEN', KEYS[2])
  if count > kept then redis.call('LTRIM', KEYS[2], -kept, -1) end
  if count > kept or run[3] == '1' then redis.call('HSET', KEYS[1], 'o', 1) end
  redis.call('HSET', KEYS[1], 'v', last, 'n', math.min(count, kept))
end
local function expireAlike()
  local idle = redis.call('PTTL', KEYS[1])
  if idle > 0 then redis.call('PEXPIRE', KEYS[2], idle) end
end`;

/* KEYS room, list, members; ARGV a run as above. */
export const APPLY = `${ADVANCE}
local kept = redis.call('HGET', KEYS[1], 'b')
if not kept then
  advance(ARGV)
elseif tonumber(kept) >= ${MAX_KEPT_RUNS} then
  redis.call('UNLINK', KEYS[1], KEYS[2])
else
  redis.call('RPUSH', KEYS[2], cjson.encode(ARGV))
  redis.call('HINCRBY', KEYS[1], 'b', 1)
end
expireAlike()
return 1`;

/* KEYS room, list, members; ARGV checkpoint, version, older, milliseconds until an unread room goes, partition, number of messages,
   messages, members with the mark (none where they are too many). Members go in pieces, because unpack has a limit. */
export const FILL = `${ADVANCE}
local entry = redis.call('HMGET', KEYS[1], 'p', 'b')
if not entry[1] or tonumber(ARGV[1]) < tonumber(entry[1]) then return 0 end
local runs = redis.call('LRANGE', KEYS[2], 0, -1)
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3])
if #runs ~= tonumber(entry[2]) then return 0 end
local count = tonumber(ARGV[6])
redis.call('HSET', KEYS[1], 'v', ARGV[2], 'n', count, 'o', ARGV[3], 'g', ARGV[5])
if count > 0 then redis.call('RPUSH', KEYS[2], unpack(ARGV, 7, 6 + count)) end
for first = 7 + count, #ARGV, 1000 do
  redis.call('SADD', KEYS[3], unpack(ARGV, first, math.min(first + 999, #ARGV)))
end
for _, run in ipairs(runs) do advance(cjson.decode(run)) end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[4]) end
return redis.call('EXISTS', KEYS[1])`;

/* KEYS checkpoint and seen of each partition; ARGV from and to of each. Raises what was seen where all are as expected. */
export const BEGIN = `
for at = 1, #KEYS, 2 do
  if redis.call('GET', KEYS[at]) ~= ARGV[at] then return 0 end
end
for at = 1, #KEYS, 2 do
  if tonumber(redis.call('GET', KEYS[at + 1]) or '-1') < tonumber(ARGV[at + 1]) then
    redis.call('SET', KEYS[at + 1], ARGV[at + 1])
  end
end
return 1`;

/* The same; moves the checkpoints. Not where less was seen than BEGIN noted: the cache was emptied in between and another process
   has given it a position, so rooms may have come in that missed what was applied before. */
export const END = `
for at = 1, #KEYS, 2 do
  local seen = tonumber(redis.call('GET', KEYS[at + 1]) or '-1')
  if redis.call('GET', KEYS[at]) ~= ARGV[at] or seen < tonumber(ARGV[at + 1]) then return 0 end
end
for at = 1, #KEYS, 2 do redis.call('SET', KEYS[at], ARGV[at + 1]) end
return 1`;

/* KEYS checkpoint and seen of each partition; ARGV position of each. Only where either is missing, which an emptied Redis is. */
export const START = `
for at = 1, #KEYS, 2 do
  local position = ARGV[(at + 1) / 2]
  if redis.call('EXISTS', KEYS[at], KEYS[at + 1]) < 2 then
    redis.call('MSET', KEYS[at], position, KEYS[at + 1], position)
  end
end`;
