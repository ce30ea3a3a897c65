import type { CancelledBy, ItemOutcomes } from '../liveness/port.ts';
import { crashCount } from '../shared/attempt.ts';
import { KeptOutcomeError } from '../shared/errors.ts';
import { Turns } from '../shared/turns.ts';
import type { Admission } from './admission.ts';
import type { BatchTask } from './batch-task.ts';
import { endCrowded, unreadable } from './ending.ts';
import { LoopTurns } from './loop-turns.ts';
import type { RequestRunner } from './request-runner.ts';
import { RequestTask } from './task.ts';
import type { Ending } from './task-handler.ts';
import type { Tasks } from './tasks.ts';

/** ms. A delivery that takes longer waits for something that is away, a payload store say. */
const SLOW_DELIVERY = 10_000;

/** Items that were started together. */
type Part = Promise<PromiseSettledResult<void>[]>;

export interface BatchRunnerOptions {
  runner: RequestRunner;
  admission: Admission;
  tasks: Tasks;
  maxConnections: number;
  /** What an item ends with instead of being run. */
  refusal: (
    item: RequestTask,
    cancelRequested: CancelledBy | false,
    crashes: number,
  ) => Ending | undefined;
}

/** Sees the items of batches through one try each. */
export class BatchRunner {
  readonly #options: BatchRunnerOptions;
  readonly #entrance = new Turns(1);
  readonly #turns = new LoopTurns();

  constructor(options: BatchRunnerOptions) {
    this.#options = options;
  }

  /** Resolves when all of its items have ended; `settled`: what they ended with before, by position. */
  async run(
    batch: BatchTask,
    cancelRequested: CancelledBy | false,
    settled: ItemOutcomes,
  ): Promise<void> {
    // One batch after the other: what is still on its way in waits for no place yet, and however much
    // came meanwhile would find as much room as the first did.
    const ended = await Promise.all(
      await this.#entrance.take(() => this.#startItems(batch, cancelRequested, settled)),
    );
    const defect = ended.flat().find(({ status }) => status === 'rejected');
    if (defect) throw (defect as PromiseRejectedResult).reason;
    batch.startDelivery();
  }

  async #startItems(
    batch: BatchTask,
    cancelRequested: CancelledBy | false,
    settled: ItemOutcomes,
  ): Promise<Part[]> {
    const { refusal, runner } = this.#options;
    const crashes = crashCount(batch.attempt, batch.progress);
    const crowded = this.#crowdedFor(batch);
    const runs: Promise<void>[] = [];
    const parts: Part[] = [];
    for (const [position, item] of batch.items.entries()) {
      const known = settled[position];
      if (!(item instanceof RequestTask)) batch.end(position, { kind: 'error', error: item });
      else if (known instanceof KeptOutcomeError)
        batch.endSettled(position, unreadable(item, known));
      else if (known) batch.endSettled(position, known);
      else {
        const turn = this.#turns.wait();
        if (turn) {
          parts.push(Promise.allSettled(runs.splice(0)));
          await turn;
        }
        // After the wait: what has stopped the batch meanwhile stops the rest of it here.
        const decided = refusal(item, cancelRequested, crashes) ?? crowded;
        runs.push(runner.run(item, batch.itemHandler, batch.line, decided));
      }
    }
    return [...parts, Promise.allSettled(runs)];
  }

  /**
   * What all of its items end with where too much of batches waits already, for places, or ended and
   * without them for its delivery: that is memory which nothing else bounds.
   */
  #crowdedFor({ line, scheduledAt }: BatchTask): Ending | undefined {
    const { admission, maxConnections, tasks } = this.#options;
    const isStuck = tasks.undelivered(SLOW_DELIVERY) > maxConnections;
    const backlog = isStuck ? Infinity : admission.backlog(line);
    return backlog === undefined ? undefined : endCrowded(backlog, scheduledAt);
  }
}
