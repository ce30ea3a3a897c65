import type { Liveness } from '../liveness/port.ts';
import type { OwnedTask } from '../processor/owned-task.ts';
import type { Attempt } from '../shared/attempt.ts';
import type { Log } from '../shared/log.ts';
import type { Answer } from './activity-rpc.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { Insistence } from './insist.ts';

/** With their pauses about four minutes. */
const MAX_ENCODINGS = 30;

/** Takes final endings to Temporal, by the newest token each task has, and forgets the task. */
export class Delivery {
  readonly #insistence: Insistence;
  readonly #heartbeats: Heartbeats;
  readonly #liveness: Liveness;
  readonly #log: Log;

  constructor(insistence: Insistence, heartbeats: Heartbeats, liveness: Liveness, log: Log) {
    this.#insistence = insistence;
    this.#heartbeats = heartbeats;
    this.#liveness = liveness;
    this.#log = log;
  }

  /** Makes the call with the newest token, until Temporal accepts it or nobody waits. */
  async report(task: OwnedTask, call: (attempt: Attempt) => Promise<Answer>): Promise<void> {
    const go = (): boolean => !task.abandoned;
    while (go()) {
      const { attempt } = task;
      const answer = await this.#insistence.call(task, go, () => call(attempt));
      if (answer === 'accepted') return this.close(task);
      if (answer && (await this.#heartbeats.resolveFence(task, attempt)) === 'closed') {
        return this.close(task);
      }
    }
  }

  /** The activity is over: whatever attaches now is stale. */
  async close(task: OwnedTask): Promise<void> {
    task.tryClose(task.attempt);
    await this.#liveness.release(task.key);
  }

  /**
   * A codec can be away, as Temporal can; with one that never works, `otherwise` is what is left.
   * Undefined once the task is abandoned.
   */
  async encode<T>(
    task: OwnedTask,
    encode: () => Promise<T>,
    otherwise: (error: unknown) => T,
  ): Promise<T | undefined> {
    for (let failures = 1; !task.abandoned; failures++) {
      try {
        return await encode();
      } catch (error) {
        if (failures === 1) {
          this.#log.error('A response cannot be encoded; trying again', { error, ...task.labels });
        }
        if (failures === MAX_ENCODINGS) return otherwise(error);
        await task.pause(Math.min(100 * 2 ** failures, 10_000));
      }
    }
    return undefined;
  }
}
