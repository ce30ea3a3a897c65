import { randomUUID } from 'node:crypto';
import type { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { openFleet } from '../../src/fleet/open.ts';
import { Access, credentialsOf, isLoopback } from '../../src/web/access.ts';
import type { Log } from '../../src/shared/log.ts';
import { createDashboard, type DashboardOptions } from '../../src/web/dashboard.tsx';
import { WebServer } from '../../src/web/server.ts';
import { dashboardCredentials } from '../../src/worker-web.ts';
import { startEnvironment, quietLogger, type Environment } from '../support/environment.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';

const PAGES = ['/', '/requests', '/flow', '/batches', '/failures', '/processes'];
const SIGNED_IN = {
  host: 'localhost',
  authorization: `Basic ${Buffer.from('ops:pässword').toString('base64')}`,
};
const FORM = { ...SIGNED_IN, 'sec-fetch-site': 'same-origin' };

let env: Environment;
let options: DashboardOptions;
/** Without credentials, and with both kinds. */
let open: Hono;
let guarded: Hono;

beforeAll(async () => {
  env = await startEnvironment();
  options = {
    fleet: env.worker.fleet,
    temporal: {
      batches: (limit) => env.patient.batches(limit),
      redrive: (workflowId, runId) => env.patient.redrive(workflowId, runId),
      ping: () => env.client.workflowService.getSystemInfo({}),
    },
    namespace: 'default',
    taskQueue: env.taskQueue,
    temporalUi: 'https://temporal.example.com',
    credentials: undefined,
    log: quietLogger,
  };
  open = createDashboard(options);
  const credentials = { user: 'ops', password: 'pässword', token: 'robot' };
  guarded = createDashboard({ ...options, credentials });
});

afterAll(() => env[Symbol.asyncDispose]());

async function tokenOf(app: Hono): Promise<string> {
  const page = await (await app.request('/flow', { headers: SIGNED_IN })).text();
  return /name="token" value="([^"]+)"/.exec(page)![1]!;
}

function post(
  app: Hono,
  path: string,
  fields: Record<string, string>,
  headers: Record<string, string>,
) {
  return app.request(path, { method: 'POST', body: new URLSearchParams(fields), headers });
}

describe('every page', () => {
  test.each(PAGES)('%s is HTML of its own, never stored, framed or sniffed', async (path) => {
    const response = await open.request(path, { headers: { host: 'localhost:8235' } });
    const page = await response.text();
    expect(response.status, page).toBe(200);
    expect(page).toMatch(/^<!doctype html><html lang="en" dir="ltr">/);
    expect(page).toMatch(/<footer>time zone: [^<]+<\/footer>/);
    expect(page).not.toMatch(
      /<script(?! src="\/assets\/)|<style|style="|\son\w+="|https?:\/\/(?!temporal)/,
    );
    const { headers } = response;
    expect(headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self'; style-src 'self'.*frame-ancestors 'none'$/,
    );
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('same-origin');
  });

  test.each(['style.css', 'live.js', 'icon.svg'])('%s comes from here', async (name) => {
    const page = await (await open.request('/', { headers: { host: 'localhost' } })).text();
    const url = new RegExp(`/assets/${name}\\?v=\\w+`).exec(page)![0];
    const response = await open.request(url, { headers: { host: 'localhost' } });
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toContain('private');
  });

  test.each(['/nothing', '/assets/nothing.js', '/assets/..%2fdashboard.tsx', '/live/nothing'])(
    '%s is not there',
    async (path) => {
      const response = await open.request(path, { headers: { host: 'localhost' } });
      expect(response.status).toBe(404);
    },
  );
});

test('no link of a page leads to a host that its address names', async () => {
  const response = await open.request('http://localhost//evil.example/', {
    headers: { host: 'localhost' },
  });
  expect(response.status).toBe(404);
  expect(await response.text()).not.toContain('"//evil.example');
});

describe('without credentials', () => {
  test.each(['localhost:80', '127.0.0.1:8235', '127.9.9.9', '[::1]:8235'])(
    'this machine under its name %s may look',
    async (host) => {
      expect((await open.request('/', { headers: { host } })).status).toBe(200);
    },
  );

  test.each(['evil.example', 'localhost.evil.example', '10.0.0.1', '127.0.0.1.evil.example', ''])(
    'a page of %o, rebound to this machine, may not',
    async (host) => {
      const response = await open.request('/', { headers: { host } });
      expect(response.status).toBe(403);
      expect(await response.text()).not.toContain('Patient');
    },
  );

  test('nobody may change anything, and nothing offers to', async () => {
    const headers = { host: 'localhost', 'sec-fetch-site': 'same-origin' };
    const response = await post(open, '/flow/pause', { key: 'k' }, headers);
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('This dashboard is read-only.');
    expect((await env.worker.fleet.flow.show('k')).paused).toBe(false);
    const asking = await open.request('/statistics/clear', { headers });
    expect(asking.status).toBe(403);
    expect(await (await open.request('/', { headers })).text()).not.toContain('/statistics/clear');
  });

  test.each([
    ['127.0.0.1', true],
    ['localhost', true],
    ['::1', true],
    ['0.0.0.0', false],
    ['10.1.2.3', false],
    ['127.evil.example', false],
  ])('it may listen on %s: %s', (host, may) => {
    expect(isLoopback(host)).toBe(may);
    if (may) expect(dashboardCredentials(host)).toBeUndefined();
    else expect(() => dashboardCredentials(host)).toThrow(/^listen: expected a loopback address/);
  });
});

describe('with credentials', () => {
  test.each([
    [undefined],
    [''],
    ['Basic'],
    [`Basic ${btoa('ops:')}`],
    [`Basic ${btoa('ops:password')}`],
    [`Basic ${btoa('root:pässword')}`],
    [`Basic ${btoa('robot')}`],
    ['Bearer ops:pässword'],
    ['Bearer robo'],
    ['Bearer robott'],
    ['Bearer '],
    ['robot'],
  ])('%o does not let in, to pages, updates or files', async (authorization) => {
    for (const path of ['/', '/live/', '/assets/style.css', '/nothing']) {
      const headers = { host: 'localhost', ...(authorization !== undefined && { authorization }) };
      const response = await guarded.request(path, { headers });
      expect(response.status).toBe(401);
      expect(response.headers.get('www-authenticate')).toMatch(/^Basic realm=/);
      expect(await response.text()).toBe('Sign in to use this dashboard.');
    }
  });

  test.each([
    [`Basic ${Buffer.from('ops:pässword').toString('base64')}`],
    ['Bearer robot'],
    ['bearer robot'],
  ])('%s lets in, under any name of the host', async (authorization) => {
    const headers = { host: 'dashboard.example', authorization };
    expect((await guarded.request('/', { headers })).status).toBe(200);
  });

  test('who fails twenty times is not listened to for the rest of the minute', async () => {
    const server = new WebServer(guarded, { host: '127.0.0.1', port: 0 });
    await server.start();
    let mark = '';
    const statusWith = async (password: string, cookie = '') => {
      const authorization = `Basic ${Buffer.from(`ops:${password}`).toString('base64')}`;
      const response = await fetch(server.url!, {
        headers: { authorization, cookie, connection: 'close' },
      });
      mark ||= /^patient-known=[^;]+/.exec(response.headers.get('set-cookie') ?? '')?.[0] ?? '';
      return [response.status, Number(response.headers.get('retry-after'))];
    };
    for (let i = 0; i < 25; i++) await fetch(server.url!, { headers: { connection: 'close' } });
    expect(await statusWith('pässword')).toEqual([200, 0]);
    // The minute can end in between.
    await waitFor(async () => (await statusWith('guess'))[0] === 429);
    const [status, wait] = await statusWith('pässword');
    expect(status).toBe(429);
    expect(wait).toBeGreaterThan(0);
    expect(wait).toBeLessThanOrEqual(60);

    // Who has signed in before, from the same address, goes on; the mark alone opens nothing.
    expect(await statusWith('pässword', mark)).toEqual([200, 0]);
    expect((await statusWith('guess', mark))[0]).toBe(401);
    expect((await statusWith('pässword', `${mark}x`))[0]).toBe(429);
    await waitFor(async () => (await statusWith('guess', mark))[0] === 429);
    await server.close();
  });

  test('only what is set lets in', () => {
    const access = new Access({ user: 'patient', password: undefined, token: 'robot' });
    const basic = (pair: string) => new Headers({ authorization: `Basic ${btoa(pair)}` });
    expect(access.refuse(basic('patient:'))).toBe('sign-in');
    expect(access.refuse(basic('patient:undefined'))).toBe('sign-in');
    expect(credentialsOf({ PATIENT_DASHBOARD_USER: 'x', PATIENT_DASHBOARD_PASSWORD: '' })).toBe(
      undefined,
    );
    expect(credentialsOf({ PATIENT_DASHBOARD_PASSWORD: 'p' })).toEqual({
      user: 'patient',
      password: 'p',
      token: undefined,
    });
  });

  test('no page shows a credential, and the token of forms is not one', async () => {
    const page = await (await guarded.request('/', { headers: SIGNED_IN })).text();
    expect(page).not.toMatch(/pässword|robot/);
    expect(await tokenOf(guarded)).toMatch(/^[\w-]{32}$/);
  });
});

describe('a change', () => {
  test.each<[string, Record<string, string>, 'token' | 'none' | 'wrong']>([
    ['without a token', { 'sec-fetch-site': 'same-origin' }, 'none'],
    ['with a wrong token', { 'sec-fetch-site': 'same-origin' }, 'wrong'],
    ['from another site', { 'sec-fetch-site': 'cross-site' }, 'token'],
    ['from a sibling of this site', { 'sec-fetch-site': 'same-site' }, 'token'],
    ['typed as an address', { 'sec-fetch-site': 'none' }, 'token'],
    ['of another origin', { origin: 'https://evil.example' }, 'token'],
    ['of an origin that is hidden', { origin: 'null' }, 'token'],
    ['of a browser that does not say', {}, 'token'],
  ])('%s is refused', async (_, headers, kind) => {
    const token = { token: await tokenOf(guarded), none: undefined, wrong: 'x'.repeat(32) }[kind];
    const fields = { key: 'forged', ...(token !== undefined && { token }) };
    const response = await post(guarded, '/flow/pause', fields, { ...SIGNED_IN, ...headers });
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('did not come from a form of this dashboard');
    expect((await env.worker.fleet.flow.show('forged')).paused).toBe(false);
  });

  test('from our own form, or with a Bearer token, is made, and leads back to the page', async () => {
    const token = await tokenOf(guarded);
    const fields = { key: 'api', token };
    const paused = await post(guarded, '/flow/pause', fields, FORM);
    expect(paused.status).toBe(303);
    expect(paused.headers.get('location')).toBe('/flow?done=%2Fflow%2Fpause');
    expect((await env.worker.fleet.flow.show('api')).paused).toBe(true);

    const origin = { ...SIGNED_IN, origin: 'https://localhost' };
    const change = { key: 'api', rate: '5', period: '1m', burst: '', concurrency: '2', token };
    expect((await post(guarded, '/flow/change', change, origin)).status).toBe(303);
    expect(await env.worker.fleet.flow.show('api')).toMatchObject({
      paused: true,
      override: { rate: 5, period: 60_000, concurrency: 2 },
    });

    // What is left empty stays.
    const faster = { ...change, rate: '7', period: '', concurrency: '' };
    expect((await post(guarded, '/flow/change', faster, FORM)).status).toBe(303);
    expect((await env.worker.fleet.flow.show('api')).override).toMatchObject({
      ...{ rate: 7, period: 60_000, concurrency: 2 },
    });

    const robot = { host: 'localhost', authorization: 'Bearer robot' };
    expect((await post(guarded, '/flow/resume', { key: 'api' }, robot)).status).toBe(303);
    expect((await env.worker.fleet.flow.show('api')).paused).toBe(false);

    expect((await post(guarded, '/flow/change', { ...fields, clear: '1' }, FORM)).status).toBe(303);
    expect((await env.worker.fleet.flow.show('api')).override).toEqual({});
  });

  test('that reaches no process yet is a change all the same: it is logged, and said', async () => {
    await using redis = await startRedis();
    await using fleet = await openFleet({ redisUrl: redis.url, taskQueue: env.taskQueue });
    const info = vi.fn<Log['info']>();
    const credentials = { user: 'ops', password: 'pässword', token: 'robot' };
    const app = createDashboard({ ...options, fleet, credentials, log: { ...quietLogger, info } });
    const robot = { host: 'localhost', authorization: 'Bearer robot' };
    const key = `["default","waits","${randomUUID()}","1"]`;
    const response = await post(app, '/requests/cancel', { key }, robot);
    expect(response.status).toBe(303);
    expect(info).toHaveBeenCalledWith('Changed from the dashboard', {
      ...{ path: '/requests/cancel', subject: key, done: 'flagged' },
    });
    const page = await app.request(response.headers.get('location')!, { headers: robot });
    expect(await page.text()).toContain('The request ends as cancelled at its next try');
  });

  test.each<[string, Record<string, string>, number, string]>([
    ['/flow/change', { key: 'api', rate: 'fast' }, 400, 'limits.rate: expected a number above 0'],
    ['/flow/pause', { key: '' }, 400, 'key: '],
    ['/requests/cancel', { key: 'nonsense' }, 400, 'key: expected'],
    ['/requests/cancel', { key: '[1]' }, 400, 'key: expected'],
    ['/failures/redrive', { key: '["default","b","r","1",7]' }, 400, 'one of a batch'],
    ['/processes/drain', { process: 'nobody' }, 502, 'nobody is not there'],
    ['/failures/redrive', { key: `["default","none","${randomUUID()}","1"]` }, 502, 'is not there'],
  ])('%s of %o is refused with its reason', async (path, fields, status, reason) => {
    const response = await post(guarded, path, { ...fields, token: await tokenOf(guarded) }, FORM);
    const page = await response.text();
    expect(response.status, page).toBe(status);
    expect(page).toContain(reason);
    const back = `/${path.split('/')[1]}`;
    expect(page).toContain(`<a class="button" href="${back}">Back</a>`);
    // There is no page at the address of a change.
    expect(page).toContain(`<a href="${back}?lang=de"`);
  });

  test('of a form that cannot be read is refused', async () => {
    const headers = { ...FORM, 'content-type': 'multipart/form-data' };
    const response = await guarded.request('/flow/pause', { method: 'POST', body: 'x', headers });
    expect(response.status).toBe(400);
    expect(await response.text()).toContain('That did not work');
  });

  test('of more than 64 KB is not read', async () => {
    const fields = { key: 'k'.repeat(70_000), token: await tokenOf(guarded) };
    expect((await post(guarded, '/flow/pause', fields, FORM)).status).toBe(413);
  });

  test.each(['/requests/cancel', '/failures/redrive', '/processes/drain', '/flow/change'])(
    '%s asks nothing about what is not there',
    async (path) => {
      for (const query of ['', '?key=x&process=x', '?key=%5B1%5D']) {
        const response = await guarded.request(path + query, { headers: SIGNED_IN });
        expect(response.status).toBe(404);
      }
    },
  );
});

describe('the language', () => {
  test.each([
    [{ 'accept-language': 'ar, en;q=0.5' }, '', 'lang="ar" dir="rtl"'],
    [{ 'accept-language': 'de-CH' }, '', 'lang="de" dir="ltr"'],
    [{ 'accept-language': 'xx' }, '', 'lang="en" dir="ltr"'],
    [{ 'accept-language': 'de', cookie: 'lang=fr' }, '', 'lang="fr" dir="ltr"'],
    [{ 'accept-language': 'de', cookie: 'lang=fr' }, '?lang=ur', 'lang="ur" dir="rtl"'],
    [{ cookie: 'lang="><script>' }, '?lang=%22%3E%3Cscript%3E', 'lang="en" dir="ltr"'],
  ])('of %o%s is %s', async (given, query, expected) => {
    const response = await open.request(`/${query}`, { headers: { host: 'localhost', ...given } });
    expect(await response.text()).toContain(`<html ${expected}>`);
    const set = response.headers.get('set-cookie');
    expect(set === null).toBe(!query.includes('ur'));
  });
});

test('of more keys than a process names, none is said to have nobody waiting', async () => {
  const keys = Array.from({ length: 22 }, (_, index) => `many-${index}`);
  const { flow } = env.worker.fleet;
  await Promise.all(keys.map((key) => flow.pause(key)));
  const requests = await Promise.all(
    keys.map((key) =>
      env.patient.submit.get(env.target.url('/waits'), { flow: { key, concurrency: 1 } }),
    ),
  );
  const waiting = (text: string) => env.worker.fleet.requests({ phase: 'queued', text });
  await expect.poll(async () => (await waiting('many-')).matched).toBe(22);
  expect((await waiting('many-21')).rows[0]).toMatchObject({ waitingFor: 'many-21' });
  const counts = async () => {
    const page = await (await open.request('/flow', { headers: { host: 'localhost' } })).text();
    return ['≥ 1', '?'].map((count) => page.split(`"><bdi>${count}</bdi></a>`).length - 1);
  };
  // A page that was asked for a moment ago is given again.
  await expect.poll(counts).toEqual([20, 2]);
  await Promise.all(requests.map((request) => request.cancel()));
  await Promise.all(keys.map((key) => flow.set(key, undefined)));
});

test('batches, each of which costs a query to a worker, are asked for every ten seconds', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const batches = vi.fn<DashboardOptions['temporal']['batches']>(async () => []);
    const app = createDashboard({ ...options, temporal: { ...options.temporal, batches } });
    for (let i = 0; i < 5; i++) {
      await app.request('/batches', { headers: { host: 'localhost' } });
      vi.advanceTimersByTime(2_000);
    }
    expect(batches).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(500);
    await app.request('/batches', { headers: { host: 'localhost' } });
    expect(batches).toHaveBeenCalledTimes(2);
  } finally {
    vi.useRealTimers();
  }
});

test('the form of a flow key shows what is in force', async () => {
  const flow = { key: 'shown', rate: 600, period: '1m' };
  await env.patient.get(env.target.url('/status/200'), { flow });
  const form = async () =>
    (await guarded.request('/flow/change?key=shown', { headers: SIGNED_IN })).text();
  await expect.poll(form).toMatch(/name="rate"[^>]* value="" placeholder="600"/);
  expect(await form()).toMatch(/name="period"[^>]* value="" placeholder="60000"/);
  const fields = { key: 'none', burst: '20', token: await tokenOf(guarded) };
  const refused = await post(guarded, '/flow/change', fields, FORM);
  expect(refused.status).toBe(400);
  expect(await refused.text()).toContain('limits.burst: expected a rate beside it');
});

test('a failure can be started again where that would work', async () => {
  const failing = (status: number) => ({
    url: env.target.url(`/status/${status}`),
    raiseErrorResponses: true,
  });
  await expect(env.patient.request(failing(471))).rejects.toThrow('HTTP 471');
  await expect(env.run('inlineRequest', [failing(472), env.taskQueue])).rejects.toThrow();
  // A page that was asked for a moment ago is given again.
  const rows = await waitFor(async () => {
    const page = await (await guarded.request('/failures', { headers: SIGNED_IN })).text();
    return page.includes('/status/472') && page.split('<tr');
  });
  const rowOf = (path: string) => rows.find((row) => row.includes(path));
  expect(rowOf('/status/471')).toContain('/failures/redrive');
  expect(rowOf('/status/472')).not.toContain('/failures/redrive');
});

test('what others name is shown, never run', async () => {
  const name = '"><img src=x onerror=alert(1)>';
  const url = env.target.url(`/hold/${encodeURIComponent(name)}`);
  const request = await env.patient.submit.get(url, {
    timeout: '1h',
    requestId: '<b>"><img/src=x>',
  });
  await waitFor(() => env.target.open > 0);
  await env.worker.fleet.flow.pause('<script>');
  const token = await tokenOf(guarded);
  for (const path of ['/requests', '/flow', `/requests?text=${encodeURIComponent(name)}`, '/']) {
    const page = await (await guarded.request(path, { headers: SIGNED_IN })).text();
    expect(page).not.toMatch(/<img src=x|<script>|<b>"/);
  }
  const sneaky = { key: name, token };
  expect(await (await post(guarded, '/flow/change', sneaky, FORM)).text()).not.toContain(
    '<img src=x',
  );
  await env.worker.fleet.flow.resume('<script>');
  await request.cancel();
});
