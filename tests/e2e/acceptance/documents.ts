// The documents of both protocols and their readable pages, as anybody can have them.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { REST_OPERATIONS } from '../../../schemas/rest-operations.ts';
import { openSocket } from '../support/chat-socket.ts';
import { newUser, type RoleName } from '../support/way.ts';
import type { GetWay } from './acceptance.ts';

const ROLES: readonly RoleName[] = ['commands', 'read-api', 'realtime'];
const { openApi, asyncApi } = REST_OPERATIONS;

type AsyncApi = { asyncapi: string; servers: { socket: { host: string; protocol: string } } };

export function describeDocuments(getWay: GetWay): void {
  describe('documents', () => {
    for (const role of ROLES) {
      for (const { path, answers } of [openApi, asyncApi]) {
        it(`DOC-6 ${role} serves ${path} to everybody, and to caches by ETag`, async () => {
          const url = getWay().origins[role] + path;
          const answer = await fetch(url);
          assert.equal(answer.status, 200);
          assert.match(answer.headers.get('content-type') ?? '', /^application\/json/);
          assert.match(answer.headers.get('cache-control') ?? '', /^public, max-age=/);
          const body = (await answer.json()) as Record<string, unknown>;
          for (const [key, version] of Object.entries(answers[200].example)) assert.equal(body[key], version);
          const etag = answer.headers.get('etag') ?? '';
          // Left to itself fetch says no-cache beside a condition, as a browser's reload does: then everything comes again.
          const headers = { 'if-none-match': etag, 'cache-control': 'max-age=0' };
          const again = await fetch(url, { headers });
          assert.equal(again.status, 304);
          assert.equal(await again.text(), '');
          const posted = await fetch(url, { method: 'POST' });
          assert.equal(posted.status, 405);
          assert.equal(((await posted.json()) as { code: string }).code, 'method_not_allowed');
        });
      }
    }

    it('DOC-7 the document of the socket names the host that it was asked of, where sockets can be opened', async () => {
      const { origins } = getWay();
      const { servers } = (await (await fetch(origins.realtime + asyncApi.path)).json()) as AsyncApi;
      const { host, protocol } = servers.socket;
      assert.equal(host, new URL(origins.realtime).host);
      const socket = await openSocket(`${protocol}://${host}`, newUser(getWay(), 'ada').token);
      await socket.next('ready');
      await socket.close();
    });

    for (const path of ['/docs/rest', '/docs/socket']) {
      it(`DOC-8 ${path} is a page that needs nothing from elsewhere`, async () => {
        const answer = await fetch(getWay().origins['read-api'] + path);
        assert.equal(answer.status, 200);
        assert.match(answer.headers.get('content-type') ?? '', /^text\/html/);
        const files = [...(await answer.text()).matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file ?? '');
        assert.ok(files.length > 0);
        for (const file of files) {
          const url = new URL(file, answer.url);
          assert.equal(url.origin, new URL(answer.url).origin);
          assert.equal((await fetch(url)).status, 200, file);
        }
      });
    }
  });
}
