import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seriousViolations } from '../support/browser.ts';
import { waitFor } from '../support/wait-for.ts';
import { startDashboard, type DashboardFixture } from './browser.ts';

let dashboard: DashboardFixture;

const PAGES: [path: string, data: RegExp][] = [
  ['/', /In flight by host\s+Host\s+Count.*on the wire.*200.*ConnectionError/s],
  ['/requests', /^(?=.*GET 127\.0\.0\.1:\d+\/hold\/old\s+on the wire)(?=.*waiting\s.*narrow)/s],
  ['/flow', /narrow\s+open\s+1 at once\s+1\s+2\b/s],
  ['/batches', /patient-batch-.*0 \/ 3/s],
  ['/failures', /ConnectionError\s+GET 127\.0\.0\.1:1\/none\s+connection refused/s],
  ['/processes', /running.* \/ 50.*If you deploy now.*may not be sent again/s],
];

beforeAll(async () => {
  dashboard = await startDashboard();
  const { env } = dashboard;
  const { patient, target } = env;
  const flow = { key: 'narrow' };
  await patient.submit.get(target.url('/hold/old'), { timeout: '1h' });
  await patient.submit.post(target.url('/hold/paid'), { timeout: '1h', json: {} });
  for (const name of ['a', 'b', 'c']) {
    await patient.submit.get(target.url(`/hold/narrow-${name}`), { timeout: '1h', flow });
  }
  await patient.submitBatch({
    requests: ['x', 'y', 'z'].map((name) => target.url(`/hold/${name}`)),
  });
  await patient.get(target.url('/status/200?secret=1'));
  await patient
    .get('http://127.0.0.1:1/none', { retry: { maximumAttempts: 1 } })
    .catch(() => undefined);
  await target.waitFor(({ held }) => held === 6);
});

afterAll(() => dashboard?.[Symbol.asyncDispose]());

async function text(page: Page): Promise<string> {
  return page.locator('main').innerText();
}

describe.each(['light', 'dark'] as const)('in %s colours', (colorScheme) => {
  test.each(PAGES)('%s shows what there is, live, to everybody', async (path, data) => {
    const page = await dashboard.page(path, { colorScheme });
    const problems: string[] = [];
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
    page.on('pageerror', (error) => problems.push(error.message));
    // Processes describe themselves every few seconds.
    await expect.poll(() => text(page)).toMatch(data);
    await page.locator('#live[data-state=on]').waitFor();
    expect(await text(page)).not.toContain('secret');
    expect(await seriousViolations(page)).toEqual([]);
    expect(problems).toEqual([]);
    await page.context().close();
  });
});

/** Counts what moves and what arrives; in the page, where no types of ours are. */
const WATCH = `
  globalThis.shifts = 0;
  globalThis.shifted = [];
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      globalThis.shifts += value;
      for (const { node } of sources) shifted.push((node?.parentElement ?? node)?.outerHTML);
    }
  }).observe({ type: 'layout-shift', buffered: true });
  globalThis.updates = 0;
  globalThis.EventSource = class extends EventSource {
    constructor(url) {
      super(url);
      this.addEventListener('region', () => globalThis.updates++);
    }
  };`;

test.each(PAGES)('%s fits a phone, and nothing moves when it is updated', async (path) => {
  const page = await dashboard.page('/nothing', { viewport: { width: 360, height: 740 } });
  await page.addInitScript(WATCH);
  await page.goto(dashboard.url + path);
  // Not in the page, whose policy refuses to evaluate text.
  await expect.poll(() => page.evaluate('updates')).toBeGreaterThan(0);
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  const shifted = await page.evaluate<string>('shifted.join()');
  expect(await page.evaluate('shifts'), shifted).toBeLessThan(0.02);
  await page.context().close();
});

test.each(['ar', 'fa', 'he', 'ur'])('%s runs from right to left', async (locale) => {
  const page = await dashboard.page('/requests', { locale });
  expect(await page.locator('html').getAttribute('dir')).toBe('rtl');
  const left = async (selector: string) => (await page.locator(selector).first().boundingBox())!.x;
  expect(await left('.brand')).toBeGreaterThan(await left('#live'));
  expect(await left('tbody th')).toBeGreaterThan(await left('tbody td:last-child'));
  // Paths stay as they are.
  expect(await page.locator('tbody bdi').first().getAttribute('dir')).toBe('ltr');
  expect(await seriousViolations(page)).toEqual([]);
  await page.context().close();
});

test('the language is chosen by keyboard, and kept', async () => {
  const page = await dashboard.page('/flow');
  await page.keyboard.press('Tab');
  expect(await page.evaluate('document.activeElement.textContent')).toBe('Skip to content');
  await page.locator('.languages summary').focus();
  await page.keyboard.press('Enter');
  await page.getByRole('link', { name: 'Deutsch' }).focus();
  await page.keyboard.press('Enter');
  await page.waitForURL(/lang=de/);
  await page.goto(`${dashboard.url}/processes`);
  expect(await page.locator('html').getAttribute('lang')).toBe('de');
  await page.context().close();
});

test('live: rows come and go, and what the reader does stays', async () => {
  const { env } = dashboard;
  const page = await dashboard.page('/requests?text=hold');
  await page.locator('#live[data-state=on]').waitFor();
  await page.getByLabel('Host').fill('being typed');
  await page.locator('.scroll').evaluate('(box) => { box.scrollLeft = 7; }');
  const request = await env.patient.submit.get(env.target.url('/hold/coming'), { timeout: '1h' });
  const row = page.getByRole('row', { name: '/hold/coming' });
  await row.waitFor();
  await page.getByRole('link', { name: /Cancel.*hold\/old/ }).focus();
  await request.cancel();
  await row.waitFor({ state: 'detached' });
  expect(await page.evaluate('document.activeElement.getAttribute("aria-label")')).toMatch(
    /^Cancel: GET .*\/hold\/old$/,
  );
  expect(await page.getByLabel('Host').inputValue()).toBe('being typed');

  const held = page.waitForRequest((sent) => sent.url().includes('/live/'));
  await page.getByRole('button', { name: 'Live' }).click();
  expect(await page.locator('#live').getAttribute('aria-pressed')).toBe('false');
  await page.getByRole('button', { name: 'Live' }).click();
  await held;
  await page.context().close();
});

test('filter and order are links and a form', async () => {
  const page = await dashboard.page('/requests');
  await page.getByRole('combobox', { name: 'Phase' }).selectOption('waiting');
  await page.getByRole('button', { name: 'Apply' }).click();
  await page.waitForURL(/phase=queued/);
  expect(await page.locator('tbody tr').count()).toBe(2);
  await page.getByRole('link', { name: 'Sort by Age' }).click();
  await page.waitForURL(/phase=queued.*reverse=1/);
  expect(await page.locator('th[aria-sort]').innerText()).toBe('Age');
  expect(await page.locator('th[aria-sort]').getAttribute('aria-sort')).toBe('ascending');
  await page.getByRole('link', { name: 'Reset' }).click();
  await page.waitForURL(/\/requests$/);
  await page.context().close();
});

test('without scripts: pages, filters and changes all the same', async () => {
  const { env } = dashboard;
  const page = await dashboard.page('/requests', { javaScriptEnabled: false });
  expect(await page.getByRole('link', { name: 'Reload' }).isVisible()).toBe(true);
  expect(await page.locator('#live').isVisible()).toBe(false);
  await page.getByRole('searchbox').fill('hold/paid');
  await page.getByRole('button', { name: 'Apply' }).click();
  expect(await page.locator('tbody tr').count()).toBe(1);
  await page.goto(`${dashboard.url}/flow`);
  await page.getByRole('button', { name: 'Pause: narrow' }).click();
  expect(await page.getByRole('status').innerText()).toBe('Paused.');
  expect((await env.worker.fleet.flow.show('narrow')).paused).toBe(true);
  await page.getByRole('button', { name: 'Resume: narrow' }).click();
  expect((await env.worker.fleet.flow.show('narrow')).paused).toBe(false);
  await page.context().close();
});

test('a wrong password shows nothing; a form of another origin changes nothing', async () => {
  const { env, browser, url } = dashboard;
  const wrong = { username: 'patient', password: 'wrong' };
  const stranger = await browser.newContext({ httpCredentials: wrong });
  const refused = await (await stranger.newPage()).goto(url);
  expect(refused!.status()).toBe(401);
  await stranger.close();

  const page = await dashboard.page('/flow');
  const token = await page.locator('input[name=token]').inputValue();
  const evil = createServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<form method="post" action="${url}/flow/pause">
      <input name="key" value="narrow"><input name="token" value="${token}"><button>x</button></form>`);
  }).listen(0, '127.0.0.1');
  await once(evil, 'listening');
  await page.goto(`http://127.0.0.1:${(evil.address() as AddressInfo).port}`);
  const answer = page.waitForResponse(/flow\/pause/);
  await page.getByRole('button').click();
  expect((await answer).status()).toBe(403);
  expect((await env.worker.fleet.flow.show('narrow')).paused).toBe(false);
  await page.context().close();
  evil.close();
  evil.closeAllConnections();
});

test('changes work without TLS too, where browsers say little of who asks', async () => {
  const { env, url } = dashboard;
  const page = await dashboard.page('/nothing');
  await page.goto(`http://dashboard.test:${new URL(url).port}/flow`);
  await page.getByRole('button', { name: 'Pause: narrow' }).click();
  await page.getByRole('button', { name: 'Resume: narrow' }).click();
  expect(await page.getByRole('status').innerText()).not.toBe('');
  expect((await env.worker.fleet.flow.show('narrow')).paused).toBe(false);
  await page.context().close();
});

test('live comes back after answers of a proxy whose server restarts', async () => {
  const page = await dashboard.page('/nothing');
  let refused = 0;
  await page.route('**/live/**', async (route) => {
    if (refused++ === 0) await route.fulfill({ status: 502, body: 'Bad gateway' });
    else await route.continue();
  });
  await page.goto(`${dashboard.url}/flow`);
  await page.locator('#live[data-state=lost]').waitFor();
  await page.locator('#live[data-state=on]').waitFor();
  await page.context().close();
});

test('what pages are drawn with is kept by the browser', async () => {
  const page = await dashboard.page('/flow');
  const style = await page.locator('link[rel=stylesheet]').getAttribute('href');
  const response = await page.request.get(dashboard.url + style);
  expect(response.headers()['cache-control']).toBe('private, max-age=86400');
  await page.context().close();
});

describe('what is clicked is done', () => {
  test('cancel closes the socket and ends the request', async () => {
    const { env } = dashboard;
    const request = await env.patient.submit.get(env.target.url('/hold/doomed'), { timeout: '1h' });
    await env.target.waitFor((target) => target.count('/hold/doomed') === 1);
    const page = await dashboard.page('/requests?text=doomed');
    await page.getByRole('link', { name: /^Cancel/ }).click();
    await page.getByRole('heading', { name: 'Cancel this request?' }).waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Cancel' }).click();
    expect(await page.getByRole('status').innerText()).toBe('The request is being cancelled.');
    await env.target.waitFor(({ hits }) =>
      hits.some(({ path, aborted }) => path === '/hold/doomed' && aborted),
    );
    await expect(request.result()).rejects.toThrow();
    await page.context().close();
  });

  test('pause stops what waits, resume and change let it go', async () => {
    const { env } = dashboard;
    const page = await dashboard.page('/flow');
    await page.getByRole('link', { name: 'Change: narrow' }).click();
    await page.getByLabel('Requests at once').fill('3');
    expect(await seriousViolations(page)).toEqual([]);
    const before = env.target.total;
    await page.getByRole('button', { name: 'Change', exact: true }).click();
    expect(await page.getByRole('status').innerText()).toBe('Changed.');
    expect(await text(page)).toContain('3 at once');
    await env.target.waitFor(({ total }) => total === before + 2);

    await page.getByRole('button', { name: 'Pause: narrow' }).click();
    await page.getByRole('button', { name: 'Resume: narrow' }).waitFor();
    const flow = { key: 'narrow', concurrency: 9 };
    await env.patient.submit.get(env.target.url('/hold/paused'), { timeout: '1h', flow });
    await expect
      .poll(async () => (await env.worker.fleet.requests({ text: '/hold/paused' })).rows[0])
      .toMatchObject({ phase: 'queued', waitingFor: 'narrow' });
    await page.getByRole('link', { name: 'Change: narrow' }).click();
    await page.getByRole('button', { name: 'Take all changes back' }).click();
    await env.target.waitFor((target) => target.count('/hold/paused') === 1);
    await page.context().close();
  });

  test('redrive sends the request again', async () => {
    const { env } = dashboard;
    const url = env.target.url('/hold/again');
    const once = { timeout: 300, retry: { maximumAttempts: 1 } };
    await expect(env.patient.get(url, once)).rejects.toThrow();
    const page = await dashboard.page('/failures');
    const act = page.getByRole('link', { name: /^Start again: GET .*\/hold\/again/ });
    await act.waitFor();
    await act.click();
    await page.getByRole('heading', { name: 'Start this request again?' }).waitFor();
    expect(env.target.count('/hold/again')).toBe(1);
    await page.getByRole('button', { name: 'Start again' }).click();
    await page.getByText('A new request has been started.').waitFor();
    expect(await page.getByRole('status').getByRole('link').innerText()).toMatch(/:redrive:/);
    await env.target.waitFor((target) => target.count('/hold/again') === 2);
    await page.context().close();
  });

  test('clear takes the statistics, and nothing else', async () => {
    const { env } = dashboard;
    expect((await env.worker.fleet.statistics()).totals.requests).toBeGreaterThan(0);
    const page = await dashboard.page('/');
    await page.getByRole('link', { name: /Clear statistics/ }).click();
    await page.getByRole('link', { name: 'Back' }).click();
    await page.getByRole('link', { name: /Clear statistics/ }).click();
    expect((await env.worker.fleet.statistics()).totals.requests).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Clear statistics' }).click();
    await page.getByText('The statistics are cleared.').waitFor();
    expect((await env.worker.fleet.statistics()).totals.requests).toBe(0);
    expect((await env.worker.fleet.requests({ text: '/hold/old' })).matched).toBe(1);
    await page.context().close();
  });

  test('drain lets the process finish and stop', async () => {
    const { env } = dashboard;
    const page = await dashboard.page('/processes');
    await page.getByRole('link', { name: /^Drain/ }).click();
    await page.getByText('If you deploy now').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    await page.getByRole('button', { name: 'Drain' }).click();
    await waitFor(() => env.worker.processor.state === 'stopped');
    await page.context().close();
  });
});
