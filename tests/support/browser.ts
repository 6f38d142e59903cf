// A real browser for tests of pages, and pictures of what it shows for whoever wants to look.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { PROJECT_ROOT } from './sources.ts';
import { stackEnv } from './stack-env.ts';

const CHROMIUM_ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export const PHONE = { width: 390, height: 844 };
export const DESKTOP = { width: 1280, height: 800 };

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: stackEnv.chromium(), args: CHROMIUM_ARGS });
}

/** Leaves `<name>.png` in .cache/screenshots. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const folder = join(PROJECT_ROOT, '.cache/screenshots');
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
}
