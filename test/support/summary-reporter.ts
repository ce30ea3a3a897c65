import { writeSync } from 'node:fs';
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

/**
 * Ends the run's output with `N passed, N failed, N skipped`. What failed outside a test (a file
 * that does not load, a rejection nobody handled, a leak, a run cut short) counts as one more.
 */
export default class SummaryReporter implements Reporter {
  #line = '0 passed, 1 failed, 0 skipped';

  onInit(): void {
    // After the global teardown, and after a set-up that failed: nothing prints later than this.
    process.once('exit', () => writeSync(1, `${this.#line}\n`));
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly unknown[],
    reason: TestRunEndReason,
  ): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      const before = count.failed;
      for (const test of module.children.allTests()) count[test.result().state]++;
      if (module.state() === 'failed' && count.failed === before) count.failed++;
    }
    if (reason !== 'passed' && count.failed === 0) count.failed++;
    const skipped = count.skipped + count.pending;
    this.#line = `${count.passed} passed, ${count.failed} failed, ${skipped} skipped`;
  }
}
