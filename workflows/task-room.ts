import { CancellationScope, sleep, workflowInfo } from '@temporalio/workflow';

/** Temporal takes 4 MB from one workflow task, and ends the workflow whose task has more. */
const MAX_BYTES = 2 * 1024 * 1024;

/**
 * Room for what a workflow asks for in one task. What many chunks ended with comes at once, and as
 * the arguments of callbacks and sinks it would be too much together.
 */
export class TaskRoom {
  /** Of history, which tells one task from the next, also in a replay. */
  #length = 0;
  #bytes = 0;
  #last: Promise<void> = Promise.resolve();

  /** Resolves in a task that has room for so many bytes of JSON; one that has nothing else has. */
  take(bytes: number): Promise<void> {
    return (this.#last = this.#last.then(() => this.#take(bytes)));
  }

  async #take(bytes: number): Promise<void> {
    while (!this.#has(bytes)) await CancellationScope.nonCancellable(() => sleep(1));
    this.#bytes += bytes;
  }

  #has(bytes: number): boolean {
    const { historyLength } = workflowInfo();
    if (historyLength !== this.#length) {
      this.#length = historyLength;
      this.#bytes = 0;
    }
    return this.#bytes === 0 || this.#bytes + bytes <= MAX_BYTES;
  }
}
