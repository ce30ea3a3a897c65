import { writeSync } from 'node:fs';
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

/**
 * Ends the run's output with `N passed, N failed, N skipped`. What failed outside a test (a file
 * that does not load, a rejection nobody handled, a leak, a run cut short) counts as one more. What
 * passed only when it was tried again is named before it: each has a race to be found.
 */
export default class SummaryReporter implements Reporter {
  #line = '0 passed, 1 failed, 0 skipped';
  readonly #flaky: string[] = [];

  onInit(): void {
    // After the global teardown, and after a set-up that failed: nothing prints later than this.
    process.once('exit', () => {
      for (const name of this.#flaky) writeSync(1, `passed at the second try: ${name}\n`);
      writeSync(1, `${this.#line}\n`);
    });
  }

  onTestRunEnd(
    modules: readonly TestModule[],
    unhandled: readonly unknown[],
    reason: TestRunEndReason,
  ): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      const before = count.failed;
      for (const test of module.children.allTests()) {
        count[test.result().state]++;
        if (test.diagnostic()?.flaky) this.#flaky.push(`${module.relativeModuleId} > ${test.name}`);
      }
      if (module.state() === 'failed' && count.failed === before) count.failed++;
    }
    if (reason !== 'passed' && count.failed === 0) count.failed++;
    const skipped = count.skipped + count.pending;
    this.#line = `${count.passed} passed, ${count.failed} failed, ${skipped} skipped`;
  }
}
