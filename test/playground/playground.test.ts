import { NativeConnection } from '@temporalio/worker';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MAX_CALLS } from '../../src/playground/round.ts';
import { Playground } from '../../src/playground/playground.ts';
import { PLAYGROUND_QUEUE } from '../../src/playground/shared.ts';
import { createTarget } from '../../src/playground/target.ts';
import { WebServer } from '../../src/web/server.ts';
import { seriousViolations, startBrowser } from '../support/browser.ts';
import { quietLogger, startEnvironment, type Environment } from '../support/environment.ts';

let env: Environment;
let connection: NativeConnection;
let target: WebServer;
let playground: Playground;
let browser: Browser;

beforeAll(async () => {
  const listen = { host: '127.0.0.1', port: 0 };
  target = new WebServer(createTarget(), listen);
  await target.start();
  env = await startEnvironment({
    allowPrivateAddresses: false,
    allowAddresses: [new URL(target.url!).host],
  });
  connection = await NativeConnection.connect({ address: env.address });
  playground = await Playground.start({
    ...{ worker: env.worker, connection, namespace: 'default', temporalUi: 'http://localhost:1/' },
    ...{ target: target.url!, listen, log: quietLogger },
  });
  browser = await startBrowser();
});

afterAll(async () => {
  await browser?.close();
  await playground?.[Symbol.asyncDispose]();
  await connection?.close();
  await env?.[Symbol.asyncDispose]();
  await target?.close();
});

const problems: string[] = [];

async function open(options: BrowserContextOptions = {}): Promise<Page> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()));
  page.on('pageerror', (error) => problems.push(error.message));
  await page.goto(playground.url);
  return page;
}

async function fill(page: Page, fields: Record<string, number>): Promise<void> {
  for (const [name, value] of Object.entries(fields)) {
    await page.locator(`[name=${name}]`).fill(String(value));
  }
}

/** The card of one side, as text. */
function card(page: Page, index: number): Promise<string> {
  return page.locator('#sides .card').nth(index).innerText();
}

test('fires both ways and shows both, live', async () => {
  const page = await open();
  await fill(page, { patient: 40, plain: 30, delay: 1, drift: 0.5, errors: 0 });
  await page.getByRole('button', { name: 'Fire' }).click();
  // Without a further load: what was typed is still there.
  expect(await page.locator('[name=patient]').inputValue()).toBe('40');
  await expect.poll(() => card(page, 0), { timeout: 60_000 }).toMatch(/40 of 40 ended, in/);
  await expect.poll(() => card(page, 1), { timeout: 60_000 }).toMatch(/30 of 30 ended, in/);
  for (const [index, count] of [40, 30].entries()) {
    const text = await card(page, index);
    expect(text).toMatch(new RegExp(`Answered\\s+${count}\\b`));
    expect(text).toMatch(/In flight\s+0\s+peak [1-9]/);
    expect(text).toMatch(/Half answered within\s+\d+\.\d s\s+95 % within\s+\d+\.\d s/);
    expect(text).toMatch(/Failed\s+0/);
  }
  await page.context().close();
});

test('errors are tried again both ways, and then count as failed', async () => {
  const page = await open();
  await fill(page, { patient: 3, plain: 3, delay: 0, drift: 0, errors: 100 });
  await page.getByRole('button', { name: 'Fire' }).click();
  for (const index of [0, 1]) {
    await expect.poll(() => card(page, index), { timeout: 60_000 }).toMatch(/Failed\s+3\b/);
  }
  await page.context().close();
});

test('a stop ends what is under way', async () => {
  const page = await open();
  await fill(page, { patient: 20, plain: 0, delay: 60, drift: 0, errors: 0 });
  await page.getByRole('button', { name: 'Fire' }).click();
  await expect.poll(() => card(page, 0), { timeout: 60_000 }).toMatch(/In flight\s+20\b/);
  await page.getByRole('button', { name: 'Stop all' }).click();
  await expect.poll(() => card(page, 0), { timeout: 60_000 }).toMatch(/In flight\s+0\b/);
  await expect.poll(() => card(page, 0), { timeout: 60_000 }).toMatch(/and 20 stopped/);
  await page.context().close();
});

describe.each(['light', 'dark'] as const)('in %s colours', (colorScheme) => {
  test('everybody can use it', async () => {
    const page = await open({ colorScheme });
    await page.locator('#live[data-state=on]').waitFor();
    expect(await seriousViolations(page)).toEqual([]);
    expect(problems).toEqual([]);
    await page.context().close();
  });
});

test('it fits a phone', async () => {
  const page = await open({ viewport: { width: 360, height: 740 } });
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  await page.context().close();
});

test('it works without scripts', async () => {
  const page = await open({ javaScriptEnabled: false });
  const before = Number(/of (\d+) ended/.exec(await card(page, 0))![1]);
  await fill(page, { patient: 5, plain: 0, delay: 0, drift: 0, errors: 0 });
  await page.getByRole('button', { name: 'Fire' }).click();
  await expect
    .poll(
      async () => {
        await page.getByRole('link', { name: 'Reload' }).click();
        return card(page, 0);
      },
      { timeout: 60_000, interval: 200 },
    )
    .toContain(`${before + 5} of ${before + 5} ended`);
  await page.context().close();
});

/** As a browser sends the page's own form. */
function post(
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string> = {},
  { url } = playground,
) {
  return fetch(url + path, {
    method: 'POST',
    body: new URLSearchParams(fields),
    redirect: 'manual',
    headers: { 'sec-fetch-site': 'same-origin', connection: 'close', ...headers },
  });
}

const ROUND = { patient: '0', plain: '0', delay: '1', drift: '0', errors: '0' };

test.each([
  [{ patient: String(MAX_CALLS + 1) }, 'Patient HTTP, calls: expected a number from 0 to 5000'],
  [{ plain: '-1' }, 'Plain activity, calls: expected a number from 0 to 5000'],
  [{ patient: '1.5' }, 'Patient HTTP, calls: expected a whole number'],
  [{ delay: '61' }, 'Delay: expected a number from 0 to 60'],
  [{ drift: '1e9' }, 'Drift: expected a number from 0 to 60'],
  [{ errors: '' }, 'Errors: expected a number from 0 to 100'],
  [{ patient: '<b>' }, 'Patient HTTP, calls: expected a number from 0 to 5000'],
])('%o is refused by name', async (fields, message) => {
  const answer = await post('/fire', { ...ROUND, ...fields });
  const text = await answer.text();
  expect(answer.status).toBe(400);
  expect(text).toContain(`${message}</p>`);
  expect(text).not.toContain('<b>');
});

test('nobody but its own page can fire, under its own name', async () => {
  expect((await post('/fire', ROUND)).status).toBe(303);
  expect((await post('/fire', ROUND, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await post('/stop', {}, { 'sec-fetch-site': 'same-site' })).status).toBe(403);
  const large = await post('/fire', { ...ROUND, patient: '1'.repeat(10_000) });
  expect(large.status).toBe(413);
  const page = await fetch(playground.url, { headers: { connection: 'close' } });
  expect(page.headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; script-src 'self'/,
  );
});

test('both ways end with compressed and encrypted payloads', { timeout: 120_000 }, async () => {
  // All playgrounds have one queue.
  await playground[Symbol.asyncDispose]();
  await using other = await startEnvironment({
    ...{ allowPrivateAddresses: false, allowAddresses: [new URL(target.url!).host] },
    ...{ compress: true, encryptionKeys: [`a:${Buffer.alloc(32, 'a').toString('base64')}`] },
  });
  const listen = { host: '127.0.0.1', port: 0 };
  await using encrypted = await Playground.start({
    ...{ worker: other.worker, connection, namespace: 'default', temporalUi: undefined },
    ...{ target: target.url!, listen, log: quietLogger },
  });
  const since = new Date().toISOString();
  await post('/fire', { ...ROUND, patient: '3', plain: '2', delay: '0' }, {}, encrypted);
  const query = `TaskQueue = '${PLAYGROUND_QUEUE}' AND StartTime >= '${since}'`;
  const workflows = async () => {
    const found: string[] = [];
    for await (const { type, status } of other.client.workflow.list({ query })) {
      found.push(`${type} ${status.name}`);
    }
    return found.sort();
  };
  const ended = ['throughPatient COMPLETED', 'throughPlainActivity COMPLETED'];
  await expect.poll(workflows, { timeout: 60_000 }).toEqual(ended);
  const page = await (await fetch(encrypted.url, { headers: { connection: 'close' } })).text();
  expect(page).toContain('3 of 3 ended');
  expect(page).toContain('2 of 2 ended');
});
