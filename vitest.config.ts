import { defineConfig } from 'vitest/config';
import LongestFirst from './test/support/longest-first.ts';

/** See test/faults. */
const full = process.env.PATIENT_TEST_FULL === '1';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    setupFiles: ['test/support/leak-check.ts'],
    reporters: [
      'default',
      './test/support/summary-reporter.ts',
      ['./test/support/watchdog-reporter.ts', full ? { limit: 15 * 60_000 } : {}],
    ],
    // Processes, not threads: tests kill workers, and the native client is loaded in each.
    pool: 'forks',
    // More than there are cores: many tests wait for leases and timeouts.
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    // Named at the end of the run; see the summary reporter.
    retry: process.env.CI ? 1 : 0,
    // For a machine that is busy with something else: no test proves anything by these.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 45_000 } },
  },
});
