/* How often one key (a user) may do something.
 *
 * A fixed window: at most `points` calls in `windowSeconds`, counted from the first call of the window. Both follow from two
 * settings: the window is BURST / PER_SECOND seconds, rounded up to a whole one because Redis expiry is in seconds here, and
 * it has PER_SECOND calls for each of its seconds. So PER_SECOND is what can be kept up for ever, BURST what can be used at
 * once after a pause, and around the border of two windows up to twice BURST can come in a short time. A real token bucket
 * would not have that border; it would need a script of our own, for no gain that a chat user would notice.
 *
 * With Redis the count is shared by all processes. While Redis is away each process counts for itself: a limit that is too
 * lenient for a while is better than refusing everybody, and better than none.
 */
import { RateLimiterMemory, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible';
import { countSetting } from './env.ts';
import type { RedisClient } from './redis.ts';

export type RateLimit = {
  /** Counts one call; null when it may go on, else how long to wait. Never rejects. */
  consume(key: string): Promise<{ retryAfterMs: number } | null>;
};

export type RateLimitOptions = {
  /** Calls per second that can be kept up; 0 turns the limit off. */
  perSecond: number;
  /** Calls at once; rounded up to a multiple of `perSecond`. */
  burst: number;
  /** Names the limit, so that several of them and several installations can share one Redis. */
  keyPrefix: string;
  /** Absent: each process counts in its own memory. */
  redis?: RedisClient | undefined;
};

/** The settings of the limit on a user's writes, for every role that takes some. */
export const rateLimitSettings = {
  RATE_LIMIT_PER_SECOND: countSetting(20, 0),
  RATE_LIMIT_BURST: countSetting(40, 0),
};

export function createRateLimit(options: RateLimitOptions): RateLimit {
  if (options.perSecond === 0) return { consume: () => Promise.resolve(null) };
  const limiter = createLimiter(options, rateWindow(options));
  return {
    async consume(key) {
      try {
        await limiter.consume(key);
        return null;
      } catch (error) {
        if (error instanceof RateLimiterRes) return { retryAfterMs: Math.max(1, error.msBeforeNext) };
        throw error;
      }
    },
  };
}

/** The window that the two settings mean. */
export function rateWindow(settings: { perSecond: number; burst: number }): { points: number; windowSeconds: number } {
  const windowSeconds = Math.max(1, Math.ceil(settings.burst / settings.perSecond));
  return { points: settings.perSecond * windowSeconds, windowSeconds };
}

function createLimiter(
  options: RateLimitOptions,
  { points, windowSeconds }: { points: number; windowSeconds: number },
): RateLimiterMemory | RateLimiterRedis {
  const window = { keyPrefix: options.keyPrefix, points, duration: windowSeconds };
  if (!options.redis) return new RateLimiterMemory(window);
  return new RateLimiterRedis({
    ...window,
    storeClient: options.redis,
    rejectIfRedisNotReady: true,
    // A key over its limit is refused from memory until its window ends: a flood costs Redis nothing.
    inMemoryBlockOnConsumed: points + 1,
    insuranceLimiter: new RateLimiterMemory(window),
  });
}
