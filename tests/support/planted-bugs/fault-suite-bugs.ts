// Mistakes that only show between processes that are killed, frozen and cut off: found by the fault suite (tests/faults/planted.ts).
import type { PlantedBug } from './bugs.ts';

export const FAULT_SUITE_BUGS: readonly PlantedBug[] = [
  {
    name: 'moves-checkpoints-outside-the-transaction',
    file: 'projections/postgres-sink.ts',
    find: 'await moveCheckpoints(tx, this.#tables, projection, chunk.moves)',
    replace: 'await moveCheckpoints(db, this.#tables, projection, chunk.moves)',
    why: 'a projector that dies in between leaves a hole in history',
  },
  {
    name: 'projects-without-its-fence',
    file: 'projections/checkpoints.ts',
    find: 'and locked.next_offset = wanted.from_offset',
    replace: 'and locked.next_offset >= 0 and wanted.from_offset >= 0',
    why: 'a projector that was frozen moves the checkpoint back over what others have done',
  },
  {
    name: 'snapshots-at-a-wrong-offset',
    file: 'commands/partition/snapshot-set.ts',
    find: 'const { nextOffset: offset, events, lastEvent, remembered } = this.#state;',
    replace: 'const { nextOffset, events, lastEvent, remembered } = this.#state; const offset = nextOffset + 2;',
    why: 'who begins with the snapshot never sees what lies between the two offsets',
  },
  {
    name: 'resumes-one-too-far',
    file: 'realtime/rooms/send-missed.ts',
    find: 'let version = after;',
    replace: 'let version = after + 1;',
    why: 'a client that comes back never gets the first event that it missed',
  },
  {
    name: 'repeats-without-the-command-id',
    file: 'commands/client/command-lane.ts',
    find: 'const answers = await this.#deps.post(toRequest(batch), signal);',
    replace: `if (failures > 0) for (const one of batch) one.json = one.json.replaceAll(one.command.commandId, one.command.commandId + '-' + failures);
      const answers = await this.#deps.post(toRequest(batch), signal);`,
    why: 'a command that was passed on and done, and whose answer got lost, is done once more',
  },
  {
    name: 'caches-without-looking-at-the-version',
    file: 'projections/cache/redis-room-scripts.ts',
    find: `  if last <= version then return end
  local at = 6
  for _ = 1, tonumber(run[5]) do
    if tonumber(run[at]) > version then redis.call('RPUSH', KEYS[2], run[at + 1]) end`,
    replace: `  local at = 6
  for _ = 1, tonumber(run[5]) do
    redis.call('RPUSH', KEYS[2], run[at + 1])`,
    why: 'what was cached before is cached again, under a version that goes back',
  },
];
