// What every twin of the port must do (pub-sub.ts says it in words).
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, it } from 'mocha';
import type { PubSub } from './pub-sub.ts';

/** Declares the suite for one twin: two handles on the same broker, as two processes would have them. */
export function describePubSub(name: string, handles: () => { one: PubSub; two: PubSub }): void {
  describe(`pub-sub ${name}`, () => {
    const freshChannel = (): string => `contract:${randomUUID()}`;

    it('hands a message to all subscribers of the channel, also to the publisher itself', async () => {
      const { one, two } = handles();
      const channel = freshChannel();
      const heard: string[] = [];
      await one.subscribe(channel, (message) => heard.push(`one ${message}`));
      await two.subscribe(channel, (message) => heard.push(`two ${message}`));
      await one.publish(channel, 'hello');
      await holds(() => heard.length === 2);
      assert.deepEqual(heard.sort(), ['one hello', 'two hello']);
    });

    it('keeps the order of one publisher', async () => {
      const { one, two } = handles();
      const channel = freshChannel();
      const heard: number[] = [];
      await two.subscribe(channel, (message) => heard.push(Number(message)));
      const numbers = Array.from({ length: 200 }, (_, index) => index);
      await Promise.all(numbers.map((number) => one.publish(channel, String(number))));
      await holds(() => heard.length === numbers.length);
      assert.deepEqual(heard, numbers);
    });

    it('keeps channels apart', async () => {
      const { one } = handles();
      const [here, there] = [freshChannel(), freshChannel()];
      const heard: string[] = [];
      await one.subscribe(here, (message) => heard.push(message));
      await one.publish(there, 'elsewhere');
      await one.publish(here, 'here');
      await holds(() => heard.length > 0);
      assert.deepEqual(heard, ['here']);
    });

    it('tells an unsubscribed handler nothing more, and the others still everything', async () => {
      const { one } = handles();
      const channel = freshChannel();
      const heard: string[] = [];
      const unsubscribe = await one.subscribe(channel, (message) => heard.push(`gone ${message}`));
      await one.subscribe(channel, (message) => heard.push(`kept ${message}`));
      unsubscribe();
      unsubscribe();
      await one.publish(channel, 'a');
      await holds(() => heard.length > 0);
      assert.deepEqual(heard, ['kept a']);
    });

    it('subscribes again after the last handler has gone', async () => {
      const { one, two } = handles();
      const channel = freshChannel();
      const heard: string[] = [];
      const handler = (message: string): number => heard.push(message);
      (await one.subscribe(channel, handler))();
      await one.subscribe(channel, handler);
      await two.publish(channel, 'again');
      await holds(() => heard.length === 1);
    });
  });
}

/** Resolves once the condition holds; the test's own time-out is the bound. */
export async function holds(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}
