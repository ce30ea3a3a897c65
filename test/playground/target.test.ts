import { expect, test } from 'vitest';
import { createTarget } from '../../src/playground/target.ts';
import { WebServer } from '../../src/web/server.ts';

const target = createTarget();

test('/slow answers after its delay, and fails as often as asked', async () => {
  const started = performance.now();
  const answer = await target.request('/slow?delay=80&drift=10');
  const waited = performance.now() - started;
  expect(answer.status).toBe(200);
  expect(((await answer.json()) as { waited: number }).waited).toBeGreaterThanOrEqual(70);
  expect(waited).toBeGreaterThanOrEqual(69);
  expect((await target.request('/slow?errors=100', { method: 'POST' })).status).toBe(500);
  expect((await target.request('/slow?delay=x&drift=-1&errors=no')).status).toBe(200);
});

test('/slow ends with its caller', async () => {
  const server = new WebServer(createTarget(), { host: '127.0.0.1', port: 0 });
  await server.start();
  const caller = new AbortController();
  const call = fetch(`${server.url}/slow?delay=600000`, { signal: caller.signal });
  caller.abort();
  await expect(call).rejects.toThrow('aborted');
  await server.close();
});

test.each([
  ['/redirect', '/time'],
  ['/redirect?to=/slow', '/slow'],
  ['/redirect?to=https://evil.example/', '/time'],
  ['/redirect?to=//evil.example/', '/time'],
  ['/redirect?to=/%5Cevil.example/', '/time'],
])('%s leads to %s', async (path, to) => {
  const { status, headers } = await target.request(path);
  expect([status, headers.get('location')]).toEqual([302, to]);
});

test('/error, /time and /request', async () => {
  for (const [query, status] of [
    ['?status=503', 503],
    ['', 500],
    ['?status=200', 500],
  ] as const) {
    expect((await target.request(`/error${query}`)).status).toBe(status);
  }
  const { time } = (await (await target.request('/time')).json()) as { time: string };
  expect(Date.now() - Date.parse(time)).toBeLessThan(60_000);
  const init = { method: 'PUT', body: 'text', headers: { 'x-a': '1' } };
  expect(await (await target.request('/request?b=2', init)).json()).toMatchObject({
    method: 'PUT',
    query: { b: '2' },
    headers: { 'x-a': '1' },
    body: 'text',
  });
});
