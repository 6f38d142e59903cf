// Who has shown a sign of being active in a room lately. Marks expire by themselves and are worth little: while they cannot be
// reached, nobody counts as active and marking does nothing.
import { type ExpiringSets, ExpiringSetsUnavailableError } from '../platform/expiring-sets.ts';
import type { Logger } from '../platform/logger.ts';
import { LIMITS } from '../schemas/limits.ts';

export type ActiveMarks = {
  mark(roomId: string, userId: string): Promise<void>;
  of(roomId: string): Promise<ReadonlySet<string>>;
};

export function createActiveMarks(sets: ExpiringSets, logger: Logger): ActiveMarks {
  const orElse = async <Value>(action: () => Promise<Value>, fallback: Value): Promise<Value> => {
    try {
      return await action();
    } catch (error) {
      if (!(error instanceof ExpiringSetsUnavailableError)) throw error;
      logger.debug({ err: error }, 'the active marks cannot be reached');
      return fallback;
    }
  };
  return {
    async mark(roomId, userId) {
      await orElse(() => sets.add(keyOf(roomId), userId, LIMITS.activeMs), false);
    },
    async of(roomId) {
      return new Set(await orElse(() => sets.members(keyOf(roomId)), []));
    },
  };
}

function keyOf(roomId: string): string {
  return `active:${roomId}`;
}
