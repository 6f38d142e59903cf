// What operators ask every role, and what browsers ask before they call.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import type { RoleName } from '../support/way.ts';
import type { GetWay } from './acceptance.ts';

const ROLES: readonly RoleName[] = ['commands', 'read-api', 'realtime', 'projections'];

export function describeOperations(getWay: GetWay): void {
  describe('operations', () => {
    for (const role of ROLES) {
      it(`PLT-15 ${role} tells of its health, its dependencies and its metrics`, async () => {
        const origin = getWay().origins[role];
        assert.equal((await fetch(`${origin}/health`)).status, 200);
        const ready = await fetch(`${origin}/ready`);
        const { checks } = (await ready.json()) as { checks: Record<string, { ok: boolean }> };
        assert.ok(Object.keys(checks).length > 0);
        assert.ok(
          Object.values(checks).every(({ ok }) => ok),
          JSON.stringify(checks),
        );
        assert.equal(ready.status, 200);
        const metrics = await (await fetch(`${origin}/metrics`)).text();
        assert.match(metrics, /^process_cpu_seconds_total /m);
        assert.match(metrics, /^roomlog_/m);
      });
    }

    it('PLT-14 a browser on a foreign page may not read the answers', async () => {
      const origin = getWay().origins.commands;
      const preflight = await fetch(`${origin}/api/v1/messages`, {
        method: 'OPTIONS',
        headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
      });
      assert.equal(preflight.headers.get('access-control-allow-origin'), null);
    });

    it('answers carry the headers that keep a browser careful', async () => {
      const answer = await fetch(`${getWay().origins['read-api']}/health`);
      assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
      assert.match(answer.headers.get('content-security-policy') ?? '', /default-src 'self'/);
      assert.equal(answer.headers.get('x-powered-by'), null);
    });

    it('the page is served, without being asked for a token', async () => {
      const answer = await fetch(`${getWay().origins['read-api']}/`);
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-type') ?? '', /^text\/html/);
    });
  });
}
