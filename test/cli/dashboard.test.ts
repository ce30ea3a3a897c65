import { randomUUID } from 'node:crypto';
import { expect, inject, test } from 'vitest';
import { startRedis } from '../support/redis.ts';
import { run, start } from './process.ts';

const MAIN = 'dist/src/cli/main.js';
const READY = 'patient-http dashboard ready: ';

test(
  'shows the workers of the queue, from a process of its own',
  { timeout: 120_000 },
  async () => {
    await using redis = await startRedis();
    const shared = {
      TEMPORAL_ADDRESS: inject('temporalAddress'),
      PATIENT_REDIS_URL: redis.url,
      PATIENT_TASK_QUEUE: `dashboard-${randomUUID()}`,
    };
    await using worker = start([MAIN, 'worker'], shared);
    await worker.prints('patient-http worker ready: ');
    const secrets = { PATIENT_DASHBOARD_TOKEN: 'let-me-see' };
    await using server = start([MAIN, 'dashboard', '--listen', '127.0.0.1:0'], {
      // As a worker's own settings may have it, without PATIENT_LISTEN.
      ...{ ...shared, ...secrets, PATIENT_DASHBOARD: 'true' },
    });
    await server.prints(READY);
    const url = server.stdout.trim().slice(READY.length);
    expect((await fetch(url, { headers: { connection: 'close' } })).status).toBe(401);
    const health = await fetch(`${url}/healthz`, { headers: { connection: 'close' } });
    expect([health.status, await health.text()]).toEqual([200, '{"healthy":true}']);
    const headers = { authorization: 'Bearer let-me-see', connection: 'close' };
    const page = await (await fetch(`${url}/processes`, { headers })).text();
    expect(page).toContain(`:${worker.pid}`);
    expect(page).toContain('/ 1,000');

    // A stream that stays open holds nothing back.
    const stream = await fetch(`${url}/live/`, { headers });
    await stream.body!.getReader().read();
    server.kill('SIGTERM');
    const { code, stdout, stderr } = await server.end();
    expect(code, stderr).toBe(0);
    expect(stdout + stderr).not.toContain('let-me-see');
  },
);

test.each<[string, Record<string, string>, string[], number, string]>([
  [
    'without Redis',
    {},
    [],
    1,
    'dashboard: set PATIENT_REDIS_URL; without Redis only a worker itself',
  ],
  [
    'to everybody without credentials',
    { PATIENT_REDIS_URL: 'redis://127.0.0.1:1' },
    ['--listen', '0.0.0.0:0'],
    1,
    'listen: expected a loopback address for a dashboard without PATIENT_DASHBOARD_PASSWORD',
  ],
  [
    'at no address',
    { PATIENT_REDIS_URL: 'redis://127.0.0.1:1' },
    ['--listen', 'here'],
    2,
    '--listen: expected host:port such as 127.0.0.1:8080, got "here"',
  ],
])('%s it is not served', async (_, env, args, exitCode, message) => {
  const { code, stderr } = await run([MAIN, 'dashboard', ...args], env);
  expect(code).toBe(exitCode);
  expect(stderr).toContain(`patient: ${message}`);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
