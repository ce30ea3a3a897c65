import { start, type Result, type RunningProcess } from '../cli/process.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Journal } from './journal.ts';

/** A worker process of the run, and what the run has done to it. */
export interface FleetWorker {
  readonly name: string;
  readonly process: RunningProcess;
  /** A fault has it in its hands. */
  busy: boolean;
  /** The signal that was to end it. */
  endedBy?: 'SIGKILL' | 'SIGTERM';
  result?: Result;
}

/** ms; many start at once on a loaded machine. */
const START_LIMIT = 60_000;
/** ms; with both shutdown timeouts, two heartbeats and a loaded machine. */
const END_LIMIT = 45_000;

/** The worker processes: started, stopped, replaced. */
export class Fleet implements AsyncDisposable {
  /** All there ever were. */
  readonly workers: FleetWorker[] = [];
  readonly #env: Record<string, string>;
  readonly #journal: Journal;
  #started = 0;

  constructor(env: Record<string, string>, journal: Journal) {
    this.#env = env;
    this.#journal = journal;
  }

  /** Those that poll, and that no fault is working on. */
  get idle(): FleetWorker[] {
    return this.workers.filter((worker) => !worker.busy && !worker.result);
  }

  /** Starts one more; again when an outage of what it needs came in between. */
  async add(): Promise<void> {
    for (;;) {
      await this.#journal.noOutage();
      const { outages } = this.#journal;
      const name = `worker ${++this.#started}`;
      const process = start(['dist/src/cli/main.js', 'worker'], this.#env);
      const worker: FleetWorker = { name, process, busy: true };
      this.workers.push(worker);
      void process.end().then((result) => this.#ended(worker, result));
      const isReady = (): boolean => process.stdout.includes('worker ready');
      await waitFor(() => isReady() || worker.result, {
        timeout: START_LIMIT,
        message: () => `${name} is ready; it printed:\n${process.stderr}`,
      });
      if (isReady()) {
        this.#journal.note(`${name} is ready`);
        worker.busy = false;
        return;
      }
      if (outages === this.#journal.outages) {
        throw new Error(`${name} did not start:\n${process.stderr}`);
      }
    }
  }

  /** Sends the signal and waits for the end. */
  async end(worker: FleetWorker, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    worker.busy = true;
    worker.endedBy = signal;
    worker.process.kill(signal);
    const limit = setTimeout(() => {
      this.#journal.violation(`${worker.name} has not ended ${END_LIMIT} ms after ${signal}`);
      worker.endedBy = 'SIGKILL';
      worker.process.kill('SIGKILL');
    }, END_LIMIT);
    await worker.process.end();
    clearTimeout(limit);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.workers.map(({ process }) => process[Symbol.asyncDispose]()));
  }

  #ended(worker: FleetWorker, result: Result): void {
    worker.result = result;
    this.#journal.note(`${worker.name} has ended: ${result.signal ?? result.code}`);
    if (!worker.endedBy && !worker.busy) {
      this.#journal.violation(`${worker.name} ended by itself: ${result.signal ?? result.code}`);
    }
  }
}
