// The plain page in a real browser: two tabs as two users, as somebody would try it who has just typed `npm start`.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'mocha';
import type { Browser, Locator, Page } from 'playwright-core';
import { holds } from '../../platform/pub-sub-contract.ts';
import { SERVER_FRAMES } from '../../schemas/wire.ts';
import { DESKTOP, openBrowser, PHONE, screenshot } from '../support/browser.ts';
import { openTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts';
import { openEmbeddedWay } from './support/embedded-way.ts';
import type { Way } from './support/way.ts';

const WAIT_MS = 10_000;

describe('the page', () => {
  let way: Way;
  let browser: Browser;
  let proxy: TcpProxy;
  let alice: Page;
  let bob: Page;
  const faults: string[] = [];

  before(async function () {
    this.timeout(60_000);
    // The limit on a user's writes is not what is looked at here, and the test writes faster than people do.
    way = await openEmbeddedWay({ RATE_LIMIT_PER_SECOND: '0' });
    const { hostname, port } = new URL(way.socketUrl);
    proxy = await openTcpProxy({ host: hostname, port: Number(port) });
    browser = await openBrowser();
  });

  after(async () => {
    await browser.close();
    await proxy.close();
    await way.close();
  });

  /** A tab of its own, on the page, logged in as that user through the proxy. */
  async function openTab(
    username: string,
    viewport = DESKTOP,
    prepare: (page: Page) => Promise<void> = async () => undefined,
  ): Promise<Page> {
    const context = await browser.newContext({ viewport, locale: 'en-GB', timezoneId: 'UTC' });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    await prepare(page);
    page.on('pageerror', (error) => faults.push(`${username}: ${error.message}`));
    page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) faults.push(`${username}: ${message.text()}`);
    });
    await page.goto(`${way.origins['read-api']}/?ws=ws://127.0.0.1:${proxy.port}`);
    await screenshot(page, `login-${username}`);
    const known = page.getByRole('button', { name: username, exact: true });
    if ((await known.count()) > 0) {
      await known.click();
    } else {
      await page.getByLabel('or another name').fill(username);
      await page.getByRole('button', { name: 'Enter' }).click();
    }
    await connected(page);
    return page;
  }

  it('WEB-1 logs two tabs in as different demo users', async () => {
    [alice, bob] = await Promise.all([openTab('alice'), openTab('bob')]);
    assert.equal(await alice.locator('#my-name').textContent(), 'alice');
    assert.equal(await bob.locator('#my-name').textContent(), 'bob');
  });

  it('WEB-1 keeps the user over a reload, in this tab alone', async () => {
    await bob.reload();
    await connected(bob);
    assert.equal(await bob.locator('#my-name').textContent(), 'bob');
  });

  it('WEB-2 makes a room, which the other sees in the list and enters', async () => {
    await alice.getByLabel('New room').fill('Tea kitchen');
    await alice.getByRole('button', { name: 'Create' }).click();
    await alice.getByRole('heading', { name: 'Tea kitchen' }).waitFor();
    await bob.reload();
    await bob
      .locator('#rooms')
      .getByRole('button', { name: /Tea kitchen/ })
      .click();
    await bob.getByRole('heading', { name: 'Tea kitchen' }).waitFor();
    await alice.getByText('bob joined', { exact: true }).waitFor();
  });

  it('WEB-2 keeps a private room to those who are invited, who come in by its address', async () => {
    const carol = await openTab('carol');
    await carol.getByLabel('New room').fill('Pantry');
    await carol.getByLabel('Private').check();
    await carol.getByRole('button', { name: 'Create' }).click();
    await carol.getByRole('heading', { name: 'Pantry' }).waitFor();
    const dave = await openTab('dave');
    const address = `#room=${await roomIdOf(carol)}`;
    await dave.evaluate(`location.hash = ${JSON.stringify(address)}`);
    await dave.getByRole('alert').getByText('not_invited').waitFor();
    await carol.getByLabel('Invite somebody').fill('dave');
    await carol.getByRole('button', { name: 'Invite' }).click();
    await carol.getByText(`dave can come in here: ${way.origins['read-api']}/${address}`).waitFor();
    await screenshot(carol, 'desktop-private');
    await dave.reload();
    await dave.getByRole('heading', { name: 'Pantry' }).waitFor();
    await carol.getByText('dave joined', { exact: true }).waitFor();
    await Promise.all([carol.context().close(), dave.context().close()]);
  });

  it('WEB-3 chats live both ways, and shows who is typing', async () => {
    await say(alice, 'Hello Bob, is the kettle on?');
    await message(bob, 'Hello Bob, is the kettle on?').waitFor();
    await bob.getByLabel('Message', { exact: true }).pressSequentially('Two minu');
    await alice.getByText('bob is typing…').waitFor();
    await bob.getByLabel('Message', { exact: true }).fill('');
    await alice
      .getByText('bob is typing…')
      .waitFor({ state: 'detached' })
      .catch(() => undefined);
    await say(bob, 'Two minutes.');
    await message(alice, 'Two minutes.').waitFor();
    await typingIs(alice, '');
    assert.deepEqual(await texts(alice), ['Hello Bob, is the kettle on?', 'Two minutes.']);
    assert.deepEqual(await texts(bob), await texts(alice));
  });

  it('WEB-4 shows markup as the text it is', async () => {
    const markup = '<img src=x onerror="document.title=\'owned\'"> <b>bold</b> &amp; "quotes"';
    await say(alice, markup);
    await message(bob, markup).waitFor();
    assert.equal((await texts(bob)).at(-1), markup);
    assert.equal(await bob.locator('#messages img, #messages b').count(), 0);
    assert.match(await bob.title(), /Roomlog/);
  });

  it('WEB-5 shows a refusal by its code and keeps the text', async () => {
    const tooLong = 'x'.repeat(2_001);
    await say(alice, tooLong);
    await alice.getByText('Not sent: message_too_long').waitFor();
    await alice.getByRole('button', { name: 'Discard' }).click();
    await alice.getByText('Not sent: message_too_long').waitFor({ state: 'detached' });
  });

  it('WEB-6 comes back after the connection was cut and shows what was missed once', async () => {
    const before = await texts(bob);
    await proxy.refuse();
    await state(bob, 'Reconnecting…');
    await way.rest.send(await tokenOf(alice), await roomIdOf(alice), 'said while all sockets were away');
    await say(bob, 'typed while away');
    await bob.getByText('Sending…').waitFor();
    await proxy.accept();
    await Promise.all([connected(alice), connected(bob)]);
    await bob.getByText('Sending…').waitFor({ state: 'detached' });
    await message(alice, 'typed while away').waitFor();
    const expected = [...before, 'said while all sockets were away', 'typed while away'];
    assert.deepEqual(await texts(bob), expected);
    assert.deepEqual(await texts(alice), expected);
    proxy.cut();
    await say(alice, 'and once more');
    await message(bob, 'and once more').waitFor();
    assert.deepEqual(await texts(alice), [...expected, 'and once more']);
    assert.deepEqual(await texts(bob), [...expected, 'and once more']);
    await bob.getByLabel('Message', { exact: true }).pressSequentially('a');
    await alice.getByText('bob is typing…').waitFor();
    await screenshot(alice, 'desktop');
    await alice.emulateMedia({ colorScheme: 'dark' });
    await screenshot(alice, 'desktop-dark');
    await alice.setViewportSize(PHONE);
    await screenshot(alice, 'phone-dark');
    await alice.setViewportSize(DESKTOP);
    await alice.emulateMedia({ colorScheme: 'light' });
  });

  it('WEB-7 pages back through older history without losing the place', async () => {
    const [token, roomId] = [await tokenOf(alice), await roomIdOf(alice)];
    const room = await texts(bob);
    for (let n = 1; n <= 70; n++) await say(alice, `line ${n}`);
    await message(bob, 'line 70').waitFor();
    const position = (await way.rest.send(token, roomId, 'the last one')).position;
    await way.rest.history(token, roomId, {}, position);
    await bob.reload();
    await message(bob, 'the last one').waitFor();
    assert.equal((await texts(bob)).length, 50);
    await bob.locator('#scroller').evaluate((scroller) => scroller.scrollTo({ top: 0 }));
    await message(bob, 'Hello Bob, is the kettle on?').waitFor();
    const all = [...room, ...Array.from({ length: 70 }, (_, index) => `line ${index + 1}`), 'the last one'];
    assert.deepEqual(await texts(bob), all);
    assert.equal(await bob.locator('#older').isVisible(), false);
  }).timeout(60_000);

  it('WEB-10 sees by the versions that a frame was lost, or by a heartbeat that the last one was, and asks again', async () => {
    const lost: string[] = [];
    let isLosing = false;
    let toPage: ((text: string) => void) | undefined;
    const erin = await openTab('erin', DESKTOP, (page) =>
      page.routeWebSocket(/^ws:/, (client) => {
        toPage = (text) => client.send(text);
        client.connectToServer().onMessage((text) => {
          if (isLosing && String(text).includes(`"${SERVER_FRAMES.receiveMessage}"`)) lost.push(String(text));
          else client.send(text);
        });
      }),
    );
    await erin
      .locator('#rooms')
      .getByRole('button', { name: /Tea kitchen/ })
      .click();
    await message(erin, 'the last one').waitFor();
    const before = await texts(erin);
    const lose = async (text: string): Promise<void> => {
      const count = lost.length;
      isLosing = true;
      await say(alice, text);
      await holds(() => lost.length > count);
      isLosing = false;
    };
    await lose('lost on the way');
    await say(alice, 'behind it');
    await message(erin, 'behind it').waitFor();
    assert.deepEqual(await texts(erin), [...before, 'lost on the way', 'behind it']);
    await lose('lost with nothing behind it');
    const { roomId, version } = (JSON.parse(lost.at(-1) ?? '') as { data: { roomId: string; version: number } }).data;
    toPage?.(JSON.stringify({ event: SERVER_FRAMES.heartbeat, data: { roomId, version } }));
    await message(erin, 'lost with nothing behind it').waitFor();
    assert.deepEqual(await texts(erin), [...before, 'lost on the way', 'behind it', 'lost with nothing behind it']);
    await erin.context().close();
  });

  it('WEB-8 fits a phone, where rooms and chat take turns', async () => {
    const carol = await openTab('carol', PHONE);
    await screenshot(carol, 'phone-rooms');
    await carol
      .locator('#rooms')
      .getByRole('button', { name: /Tea kitchen/ })
      .click();
    await message(carol, 'the last one').waitFor();
    assert.equal(await carol.locator('#rooms').isVisible(), false);
    assert.equal(await carol.evaluate('document.documentElement.scrollWidth'), PHONE.width);
    await screenshot(carol, 'phone-chat');
    await carol.getByRole('button', { name: 'Back to the rooms' }).click();
    assert.equal(await carol.locator('#rooms').isVisible(), true);
  });

  it('WEB-9 breaks no rule of its own security policy and throws nothing', () => {
    assert.deepEqual(faults, []);
  });
});

async function say(page: Page, text: string): Promise<void> {
  const field = page.getByLabel('Message', { exact: true });
  await field.fill(text);
  await field.press('Enter');
}

function message(page: Page, text: string): Locator {
  return page.locator('#messages .message .text').getByText(text, { exact: true });
}

function texts(page: Page): Promise<string[]> {
  return page.locator('#messages .message .text').allTextContents();
}

function connected(page: Page): Promise<void> {
  return state(page, 'Connected');
}

function state(page: Page, text: string): Promise<void> {
  return page.locator('#connection').getByText(text, { exact: true }).waitFor();
}

async function typingIs(page: Page, text: string): Promise<void> {
  await page.waitForFunction(`document.getElementById('typing')?.textContent === ${JSON.stringify(text)}`);
}

async function tokenOf(page: Page): Promise<string> {
  return String(await page.evaluate('JSON.parse(sessionStorage.getItem("session")).token'));
}

async function roomIdOf(page: Page): Promise<string> {
  return String(await page.evaluate('sessionStorage.getItem("roomId")'));
}
