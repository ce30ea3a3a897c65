import type { Reporter, TestModule, Vitest } from 'vitest/node';

/** ms; the slowest file, which waits for leases to expire, takes five minutes on a loaded machine. */
const FILE_LIMIT = 10 * 60_000;
/** ms for a file to end by itself when the run is cancelled; then its process is killed. */
const GRACE = 5_000;

/**
 * Ends the run when a file does not end. Vitest's own timeouts cannot fire in a process that
 * never gives the event loop back, and do not cover the loading of a file.
 */
export default class WatchdogReporter implements Reporter {
  readonly #limit: number;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  #vitest: Vitest | undefined;

  constructor({ limit = FILE_LIMIT }: { limit?: number } = {}) {
    this.#limit = limit;
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestModuleQueued({ id, relativeModuleId }: TestModule): void {
    const timer = setTimeout(() => this.#end(relativeModuleId), this.#limit);
    this.#timers.set(id, timer);
  }

  onTestModuleEnd({ id }: TestModule): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  onTestRunEnd(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #end(file: string): void {
    console.error(`${file} has not ended after ${this.#limit / 1000} s: the run ends here`);
    process.once('exit', () => (process.exitCode = 1));
    const cancel = (): void => void this.#vitest?.cancelCurrentRun('test-failure');
    cancel();
    // The second time it is by force.
    setTimeout(cancel, GRACE).unref();
  }
}
