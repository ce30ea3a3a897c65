import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { chromium, type Browser, type Page } from 'playwright-core';

const CHROMIUM = process.env.PATIENT_TEST_CHROMIUM ?? '/usr/bin/chromium';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** A browser with a profile of its own, which talks to nobody but the page. */
export async function startBrowser(): Promise<Browser> {
  if (!existsSync(CHROMIUM)) {
    throw new Error(`${CHROMIUM} is not there; install it with apt-get install -y chromium`);
  }
  const quiet = [
    ...['--no-first-run', '--disable-background-networking', '--disable-component-update'],
    ...['--disable-sync', '--disable-quic', '--disable-gpu', '--no-sandbox'],
    '--disable-dev-shm-usage',
    // A name of this machine that browsers trust no more than any other of the network.
    '--host-resolver-rules=MAP dashboard.test 127.0.0.1',
  ];
  return chromium.launch({ executablePath: CHROMIUM, args: quiet });
}

/** What axe finds that keeps somebody from using the page. */
export async function seriousViolations(page: Page): Promise<string[]> {
  // Not through a script element, which the page's policy would refuse.
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as { axe: typeof import('axe-core') };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
}
