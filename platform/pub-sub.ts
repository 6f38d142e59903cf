// Short messages to whoever listens right now: typing, presence. At most once, nothing is kept. A port with a twin in memory (one
// process) and one in Redis (many processes), held to one contract suite.
import type { Logger } from './logger.ts';
import type { RedisClient } from './redis.ts';

export type PubSub = {
  /**
   * Hands the message to every subscriber of the channel, the publisher's own included, messages of one publisher to one channel
   * in order. Who is not subscribed at that moment never gets it. Throws PubSubUnavailableError when it went nowhere.
   */
  publish(channel: string, message: string): Promise<void>;
  /**
   * Calls the handler, which must not throw, with every message from now on, until the returned function is called. Resolves
   * once the subscription holds; while the broker cannot be reached it resolves as well, and the subscription begins to hold
   * when the broker is back, as all others do again. Never rejects.
   */
  subscribe(channel: string, handler: (message: string) => void): Promise<() => void>;
};

/** The message reached nobody, because the broker cannot be reached. */
export class PubSubUnavailableError extends Error {
  override readonly name = 'PubSubUnavailableError';
  readonly code = 'pub_sub_unavailable';
  readonly retryable = true;
}

type Handler = (message: string) => void;

/** The twin in memory. Handlers run after the publisher's own turn, never inside publish, as with a broker. */
export function createMemoryPubSub(): PubSub {
  const handlersByChannel = new Map<string, Set<Handler>>();
  return {
    async publish(channel, message) {
      await Promise.resolve();
      for (const handler of [...(handlersByChannel.get(channel) ?? [])]) handler(message);
    },
    async subscribe(channel, handler) {
      // A function of its own per subscription: the same handler may be subscribed twice and then is called twice.
      const own: Handler = (message) => handler(message);
      addHandler(handlersByChannel, channel, own);
      return () => void removeHandler(handlersByChannel, channel, own);
    },
  };
}

export type RedisPubSubDeps = {
  publisher: RedisClient;
  /** A connection of its own, used for nothing else: Redis allows nothing else on a connection that has subscribed. */
  subscriber: RedisClient;
  prefix: string;
  log: Logger;
};

/** The twin in Redis. Both clients stay the caller's to close. */
export function createRedisPubSub(deps: RedisPubSubDeps): PubSub {
  const { publisher, subscriber, prefix, log } = deps;
  const handlersByChannel = new Map<string, Set<Handler>>();

  subscriber.on('message', (channel: string, message: string) => {
    const handlers = handlersByChannel.get(channel.slice(prefix.length));
    for (const handler of [...(handlers ?? [])]) handler(message);
  });

  // ioredis knows only of subscriptions that once worked; one made while Redis was away has to be made here.
  subscriber.on('ready', () => {
    const channels = [...handlersByChannel.keys()];
    if (channels.length > 0) void subscribeAll(channels);
  });

  async function subscribeAll(channels: string[]): Promise<void> {
    // What cannot be sent now is made up for by the handler of ready above.
    if (subscriber.status !== 'ready') return;
    try {
      await subscriber.subscribe(...channels.map((channel) => prefix + channel));
    } catch (error) {
      log.warn({ err: error, channels: channels.length }, 'a subscription has to wait for redis');
    }
  }

  return {
    async publish(channel, message) {
      try {
        await publisher.publish(prefix + channel, message);
      } catch (error) {
        throw new PubSubUnavailableError('redis cannot be reached', { cause: error });
      }
    },

    async subscribe(channel, handler) {
      const own: Handler = (message) => handler(message);
      addHandler(handlersByChannel, channel, own);
      // Also where there is a subscription already: its confirmation may still be on the way, and this one comes after it.
      await subscribeAll([channel]);
      return () => {
        if (!removeHandler(handlersByChannel, channel, own)) return;
        subscriber.unsubscribe(prefix + channel).catch((error: unknown) => {
          log.debug({ err: error }, 'redis was away while a subscription ended');
        });
      };
    },
  };
}

function addHandler(handlersByChannel: Map<string, Set<Handler>>, channel: string, handler: Handler): void {
  const handlers = handlersByChannel.get(channel);
  if (handlers) handlers.add(handler);
  else handlersByChannel.set(channel, new Set([handler]));
}

/** Whether that was the channel's last handler. */
function removeHandler(handlersByChannel: Map<string, Set<Handler>>, channel: string, handler: Handler): boolean {
  const handlers = handlersByChannel.get(channel);
  if (!handlers?.delete(handler) || handlers.size > 0) return false;
  return handlersByChannel.delete(channel);
}
