// The readable pages of the documents in a real browser, under the content security policy that every answer has.
import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'mocha';
import type { Browser, Page } from 'playwright-core';
import { documentRoutes, SOCKET_PORT } from '../../documents/document-routes.ts';
import { closeServer, createHttpApp, listen } from '../../platform/http-app.ts';
import { createLogger } from '../../platform/logger.ts';
import { createMetrics } from '../../platform/metrics.ts';
import { servePage } from '../../read-api/routes/static-page.ts';
import { CLOSE_CODES } from '../../schemas/close-codes.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { REJECTIONS } from '../../schemas/rejections.ts';
import { REST_OPERATIONS } from '../../schemas/rest-operations.ts';
import { CLIENT_FRAMES, SERVER_FRAMES } from '../../schemas/wire.ts';
import { DESKTOP, openBrowser, PHONE, screenshot } from '../support/browser.ts';
import { PROJECT_ROOT } from '../support/sources.ts';

describe('the pages of the documents', () => {
  let server: Server;
  let browser: Browser;
  const faults: string[] = [];

  before(async function () {
    this.timeout(60_000);
    const app = createHttpApp({
      role: 'test',
      log: createLogger('test', 'silent'),
      metrics: createMetrics(),
      problems: REJECTIONS,
      frontendUrl: '*',
      bodyLimitBytes: LIMITS.httpBodyBytes,
      ready: {},
    });
    for (const route of documentRoutes({ socketPort: SOCKET_PORT })) app.use(route);
    app.use(servePage(join(PROJECT_ROOT, 'web')));
    server = await listen(app, 0, '127.0.0.1');
    browser = await openBrowser();
  });

  after(async () => {
    await browser.close();
    await closeServer(server, 0);
  });

  async function open(path: string, viewport = DESKTOP): Promise<Page> {
    const page = await (await browser.newContext({ viewport })).newPage();
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error' || /Content Security Policy/.test(message.text())) faults.push(message.text());
    });
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`);
    await page.locator('article').first().waitFor();
    await screenshot(page, `${path.replace(/^\//, '').replace(/\W/g, '-')}-${viewport.width}`);
    return page;
  }

  it('DOC-8 /docs/rest shows every operation with its fields, limits, codes and examples', async () => {
    const page = await open('/docs/rest');
    assert.deepEqual(await idsOf(page), Object.keys(REST_OPERATIONS).sort());
    const create = page.locator('#createRoom');
    assert.match(await create.innerText(), /Makes a room[\s\S]*roomid[\s\S]*1 to 100 characters[\s\S]*log_unavailable/);
    assert.match(await create.locator('figure').first().innerText(), /curl -X POST [\s\S]*"roomid":"plaza"/);
    assert.match(await page.locator('#code-rate_limited').innerText(), /429/);
    await assertLinks(page);
  });

  it('DOC-8 /docs/socket shows every frame and code', async () => {
    const page = await open('/docs/socket');
    const wanted = [
      ...Object.values(CLIENT_FRAMES).map((name) => `client.${name}`),
      ...Object.values(SERVER_FRAMES).map((name) => `server.${name}`),
    ];
    assert.deepEqual(await idsOf(page), wanted.sort());
    for (const { code } of Object.values(CLOSE_CODES)) assert.equal(await page.locator(`#close-${code}`).count(), 1);
    for (const code of Object.keys(REJECTIONS)) assert.equal(await page.locator(`#code-${code}`).count(), 1);
    assert.match(await page.locator(`[id="client.${CLIENT_FRAMES.joinRoom}"]`).innerText(), /after[\s\S]*"ref": 1/);
    await assertLinks(page);
  });

  it('DOC-8 they fit a phone, and go to the place that the address names', async () => {
    const page = await open('/docs/rest#listMessages', PHONE);
    const box = await page.locator('#listMessages').boundingBox();
    assert.ok(box !== null && box.y >= 0 && box.y < PHONE.height);
    assert.ok((await page.evaluate<number>('document.documentElement.scrollWidth')) <= PHONE.width);
  });

  it('DOC-8 they keep to the content security policy, without a fault', () => {
    assert.deepEqual(faults, []);
  });
});

async function idsOf(page: Page): Promise<string[]> {
  const ids = await page.locator('article').evaluateAll((articles) => articles.map(({ id }) => id));
  return ids.sort();
}

/** Every link leads to a place of the page, or to something that is there. */
async function assertLinks(page: Page): Promise<void> {
  const hrefs = await page.locator('a').evaluateAll((links) => links.map((link) => link.getAttribute('href') ?? ''));
  assert.ok(hrefs.length > 50);
  const missing: string[] = [];
  for (const href of new Set(hrefs)) {
    if (href.startsWith('#')) {
      if ((await page.locator(`[id="${href.slice(1)}"]`).count()) !== 1) missing.push(href);
    } else if (!(await page.request.get(new URL(href, page.url()).href)).ok()) {
      missing.push(href);
    }
  }
  assert.deepEqual(missing, []);
}
