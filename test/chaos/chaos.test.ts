import { beforeAll, expect, inject, test } from 'vitest';
import { run as runCommand } from '../cli/process.ts';
import { FAULT_KINDS } from './faults.ts';
import { describe } from './report.ts';
import { run } from './run.ts';
import { quietRuntime } from './world.ts';

beforeAll(quietRuntime);

test(
  'every kind of fault once: nothing is lost, nothing is paid twice',
  {
    timeout: 240_000,
  },
  async () => {
    const report = await run({
      ...{ seed: 1, seconds: 12, rate: 6, workers: 2, faultEvery: 1_200, faults: FAULT_KINDS },
      cli: inject('temporalCli'),
    });
    expect(report.journal.violations, describe(report)).toEqual([]);
    expect(report.requests).toHaveLength(72);
  },
);

test.each([
  [['--seed', 'x'], '--seed: expected a whole number from 0, got x'],
  [['--fault', 'fire'], '--fault: expected one of kill, '],
  [['--sede', '7'], "'--sede'"],
])('arguments %j are refused', async (args, message) => {
  const { code, stderr } = await runCommand(['dist/test/chaos/main.js', ...args]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});
