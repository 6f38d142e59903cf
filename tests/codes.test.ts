// The table of close codes and error codes: the same for the service, the documents, the plain page and programs.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'mocha';
import { CLOSE_CODES, type CloseCode } from '../schemas/close-codes.ts';
import { CODES_PATH, codesDocument } from '../schemas/codes-document.ts';
import { generateCodesPage, generateWebCodes } from '../schemas/generate-codes.ts';
import { REJECTIONS, type RejectionRule } from '../schemas/rejections.ts';
import { openRealtimeWorld, type RealtimeNode, type RealtimeWorld } from './support/realtime-world.ts';
import { sources } from './support/sources.ts';

type WaitAfterClose = (closing: {
  code: number;
  drainingAfterMs?: number | null;
  attempts: number;
  random?: () => number;
}) => number | null;

type PageConnection = new (options: {
  url: string;
  token: string;
  onFrame: () => void;
  onConnected: () => void;
  onState: (state: string, code: number) => void;
}) => { open(): void; close(): void };

/** Not known to the compiler, as everything of the page: it is what browsers load. */
const PAGE: string = '../web/connection.js';

const textOf = (path: string): string => sources(path)[0]?.text ?? '';

describe('the codes', () => {
  it('RT-80 every close code is given once, and says whether to come back and how long to wait', () => {
    const codes = Object.values(CLOSE_CODES).map(({ code }) => code);
    assert.equal(new Set(codes).size, codes.length);
    for (const [name, { code, reconnect, afterMs, reason }] of Object.entries<CloseCode>(CLOSE_CODES)) {
      assert.ok(reconnect || afterMs === 0, name);
      if (code >= 4_000) assert.equal(reconnect, code >= 4_500, name);
      // What a close frame can hold beside the code.
      assert.ok(Buffer.byteLength(reason) <= 123, name);
    }
  });

  it('RT-80 every error code says whether trying again can help: exactly those that are about now', () => {
    for (const [code, { status, retry, afterMs }] of Object.entries<RejectionRule>(REJECTIONS)) {
      assert.equal(retry, afterMs > 0, code);
      assert.equal(retry, status >= 500 || code === 'rate_limited', code);
    }
  });

  it('RT-80 the document for people and the table of the page are what npm run generate makes of it', () => {
    assert.equal(textOf('docs/codes.md'), generateCodesPage());
    assert.equal(textOf('web/codes.js'), generateWebCodes());
  });

  describe('served', () => {
    let world: RealtimeWorld;
    let node: RealtimeNode;

    beforeEach(async () => {
      world = await openRealtimeWorld();
      node = await world.openNode();
    });
    afterEach(() => world.close());

    it('RT-82 the plain page waits when the node goes away, and gives up where coming back cannot help', async () => {
      const { Connection } = (await import(PAGE)) as { Connection: PageConnection };
      const next = Promise.withResolvers<number>();
      const connected = Promise.withResolvers<void>();
      const ended = Promise.withResolvers<number>();
      const on = { url: node.url, onFrame: () => {} };
      const one = new Connection({
        ...on,
        token: world.token('ada'),
        onConnected: connected.resolve,
        onState: (state, code) => state === 'waiting' && next.resolve(code),
      });
      one.open();
      await connected.promise;
      const other = new Connection({
        ...on,
        token: 'nonsense',
        onConnected: () => {},
        onState: (state, code) => state === 'ended' && ended.resolve(code),
      });
      other.open();
      assert.equal(await ended.promise, CLOSE_CODES.tokenInvalid.code);
      await node.stop();
      assert.equal(await next.promise, CLOSE_CODES.draining.code);
      one.close();
    });

    it('RT-81 are there for programs, without a token, and need not be read twice', async () => {
      const response = await fetch(node.httpUrl + CODES_PATH);
      assert.equal(response.status, 200);
      assert.match(response.headers.get('cache-control') ?? '', /^public, max-age=\d+$/);
      assert.deepEqual(await response.json(), JSON.parse(JSON.stringify(codesDocument())));
      const etag = response.headers.get('etag') ?? '';
      const again = await fetch(node.httpUrl + CODES_PATH, { headers: { 'if-none-match': etag, 'cache-control': '' } });
      assert.equal(again.status, 304);
      const posted = await fetch(node.httpUrl + CODES_PATH, { method: 'POST' });
      assert.equal(posted.status, REJECTIONS.method_not_allowed.status);
    });
  });

  it('RT-82 the plain page comes back as the table says, never sooner, and not all tabs in the same moment', async () => {
    const { waitAfterClose } = (await import(PAGE)) as { waitAfterClose: WaitAfterClose };
    for (const { code, reconnect, afterMs } of Object.values(CLOSE_CODES)) {
      for (const attempts of [0, 3, 50]) {
        const waits = [0, 0.5, 1].map((part) => waitAfterClose({ code, attempts, random: () => part }));
        if (!reconnect) {
          assert.deepEqual(waits, [null, null, null]);
        } else {
          assert.ok(waits.every((waitMs) => waitMs !== null && waitMs >= afterMs && waitMs <= afterMs + 10_000));
          assert.equal(new Set(waits).size, 3);
        }
      }
    }
    assert.ok(waitAfterClose({ code: 1006, attempts: 0 }) !== null, 'a broken network has no code of its own');
    const drained = { code: CLOSE_CODES.draining.code, drainingAfterMs: 4_000, attempts: 0 };
    assert.ok(Number(waitAfterClose(drained)) >= 4_000);
  });
});
