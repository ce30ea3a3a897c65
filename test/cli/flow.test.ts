import { expect, test } from 'vitest';
import type { FlowKey } from '../../src/flow/port.ts';
import { startRedis } from '../support/redis.ts';
import { run } from './process.ts';

test('patient flow: set, show, pause, resume, list, clear', async () => {
  await using redis = await startRedis();
  const flow = async (...args: string[]): Promise<FlowKey[]> => {
    const { code, stdout, stderr } = await run(['dist/src/cli/main.js', 'flow', ...args], {
      PATIENT_REDIS_URL: redis.url,
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return JSON.parse(stdout) as FlowKey[];
  };
  expect(await flow()).toEqual([]);
  const limits = { rate: 10, period: 60_000, concurrency: 5 };
  const set = ['--rate', '10', '--period', '1m', '--concurrency', '5'];
  const [shown] = await flow('set', 'api.test', ...set);
  expect(shown).toMatchObject({ key: 'api.test', paused: false, override: limits, inFlight: 0 });
  expect(await flow('pause', 'api.test')).toMatchObject([{ paused: true }]);
  expect(await flow('list')).toMatchObject([{ key: 'api.test', paused: true, override: limits }]);
  expect(await flow('resume', 'api.test')).toMatchObject([{ paused: false, override: limits }]);
  expect(await flow('--json')).toMatchObject([{ key: 'api.test' }]);
  // What is not named stays as it is.
  expect(await flow('set', 'api.test', '--rate', '5')).toMatchObject([
    { override: { ...limits, rate: 5 } },
  ]);
  expect(await flow('set', 'api.test', '--burst', '3')).toMatchObject([
    { override: { ...limits, rate: 5, burst: 3 } },
  ]);
  expect(await flow('set', 'api.test', '--clear')).toMatchObject([{ override: {} }]);
  const refused = await run(['dist/src/cli/main.js', 'flow', 'set', 'api.test', '--period', '1m'], {
    PATIENT_REDIS_URL: redis.url,
  });
  expect(refused).toMatchObject({
    code: 2,
    stderr: 'patient: limits.period: expected a rate beside it, for the key has none, got 60000\n',
  });
});

test('wrong arguments are one line', async () => {
  const env = { PATIENT_REDIS_URL: 'redis://127.0.0.1:1' };
  const wrong = async (...args: string[]) => {
    const { code, stderr } = await run(['dist/src/cli/main.js', 'flow', ...args], env);
    expect(code).toBe(args[0] === 'list' ? 1 : 2);
    return stderr.trim();
  };
  expect(await wrong('set', 'api', '--rate', '')).toBe(
    'patient: limits.rate: expected a number above 0, got ""',
  );
  expect(await wrong('set', 'api', '--rate', '1', '--clear')).toBe(
    'patient: --clear: expected no limits beside it, got some',
  );
  expect(await wrong('set', 'api', '--rate', '0')).toBe(
    'patient: limits.rate: expected a number above 0, got 0',
  );
  expect(await wrong('set', 'api', '--concurrency', 'x')).toBe(
    'patient: limits.concurrency: expected an integer from 1, got "x"',
  );
  expect(await wrong('set', 'api', '--period', 'soon')).toBe(
    `patient: limits.period: expected milliseconds or a duration such as '30s', got "soon"`,
  );
  expect(await wrong('set', 'api')).toBe('patient: flow set: say what to set, or --clear');
  expect(await wrong('pause', 'k'.repeat(10_240))).toMatch(/key: expected 1 to 255 visible ASCII/);
  expect(await wrong('list')).toMatch(/^patient: redisUrl: no usable Redis at redis:\/\/127/);
});

test('of many keys some are listed, and the rest is spoken of', async () => {
  await using redis = await startRedis();
  const env = { PATIENT_REDIS_URL: redis.url };
  const used = Array.from({ length: 300 }, (_, index) => [Date.now(), `key-${index}`]).flat();
  await redis.redis.zadd('patient:{default/patient-http}:flow-keys', ...used);
  const list = async (...args: string[]) => {
    const { stdout, stderr } = await run(['dist/src/cli/main.js', 'flow', ...args], env);
    return [(JSON.parse(stdout) as FlowKey[]).length, stderr];
  };
  const notice = 'a --limit up to 1000, or --contains, shows others\n';
  expect(await list()).toEqual([100, `patient: 100 of 300 keys; ${notice}`]);
  expect(await list('--limit', '300')).toEqual([300, '']);
  const found = await list('--contains', 'key-29', '--limit', '5');
  expect(found).toEqual([5, `patient: 5 of 11 keys; ${notice}`]);
});
