import { beforeAll, expect, inject, test } from 'vitest';
import { run as runCommand } from '../cli/process.ts';
import { FAULT_KINDS } from './faults.ts';
import { describe } from './report.ts';
import { run } from './run.ts';
import { quietRuntime, startWorld } from './world.ts';

beforeAll(quietRuntime);

const limit = { timeout: 240_000 };

test('every kind of fault: nothing is lost, nothing is paid twice', limit, async () => {
  await using world = await startWorld({ workers: 2, cli: inject('temporalCli') });
  // A seed whose ten seconds have them all.
  const plan = { seed: 193, seconds: 10, rate: 6, faultEvery: 800, faults: FAULT_KINDS };
  const report = await run(world, plan);
  expect(report.journal.violations, describe(report)).toEqual([]);
  expect(new Set(report.faults)).toEqual(new Set(FAULT_KINDS));
  expect(report.requests).toHaveLength(60);
});

test.each([
  [['--seed', 'x'], '--seed: expected a whole number from 0, got x'],
  [['--fault', 'fire'], '--fault: expected one of kill, '],
  [['--sede', '7'], "'--sede'"],
])('arguments %j are refused', async (args, message) => {
  const { code, stderr } = await runCommand(['dist/test/chaos/main.js', ...args]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});
