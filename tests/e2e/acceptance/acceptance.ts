// What the product does for its users, asked from outside over HTTP, WebSocket and socket.io. One suite, run over both ways of
// running: a test that could only hold for one of them does not belong here.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import type { OpenWay, Way } from '../support/way.ts';
import { describeBadFrames } from './bad-frames.ts';
import { describeBadRequests } from './bad-requests.ts';
import { describeDocuments } from './documents.ts';
import { describeLive } from './live.ts';
import { describeMessages } from './messages.ts';
import { describeOperations } from './operations.ts';
import { describeRestarts } from './restarts.ts';
import { describeRooms } from './rooms.ts';
import { describeSocketIo } from './socket-io.ts';

/** Gives the running product; only inside of tests and hooks. */
export type GetWay = () => Way;

const OPEN_TIMEOUT_MS = 90_000;
const TEST_TIMEOUT_MS = 40_000;

export function describeAcceptance(name: string, openWay: OpenWay): void {
  describe(`Roomlog, ${name}`, function () {
    this.timeout(TEST_TIMEOUT_MS);
    let way: Way | undefined;
    const getWay: GetWay = () => {
      assert.ok(way, 'the product runs');
      return way;
    };

    before(async function () {
      this.timeout(OPEN_TIMEOUT_MS);
      way = await openWay();
    });

    after(async function () {
      this.timeout(OPEN_TIMEOUT_MS);
      await way?.close();
    });

    describeRooms(getWay);
    describeMessages(getWay);
    describeLive(getWay);
    describeSocketIo(getWay);
    describeBadRequests(getWay);
    describeBadFrames(getWay);
    describeOperations(getWay);
    describeDocuments(getWay);
    describeRestarts(getWay);

    // A suite of its own, because the tests of a suite run before the suites in it.
    describe('in the end', () => {
      it('has survived all of this in the processes it was left in, and ends in an orderly way', async function () {
        this.timeout(OPEN_TIMEOUT_MS);
        const running = getWay();
        assert.ok(running.processes().every(({ isRunning }) => isRunning));
        way = undefined;
        const codes = await running.close();
        assert.deepEqual(
          codes,
          codes.map(() => 0),
        );
      });
    });
  });
}
