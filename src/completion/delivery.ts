import type { Liveness } from '../liveness/port.ts';
import type { OwnedTask } from '../processor/owned-task.ts';
import type { Attempt } from '../shared/attempt.ts';
import { PayloadError } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import type { Answer } from './activity-rpc.ts';
import type { Heartbeats } from './heartbeats.ts';
import type { Insistence } from './insist.ts';

/** Of a codec that throws something else: with the pauses about four minutes. */
const MAX_ENCODINGS = 30;
/** ms for which a store may be away or full, or a codec silent, unless the deadline is before that. */
const PATIENCE = 60 * 60_000;
const LONGEST_PAUSE = 10_000;
/** ms; a store that has not answered by then may never, and what waits for it is kept meanwhile. */
export const SILENCE = 2_000;

export interface Encoding<T> {
  encode: () => Promise<T>;
  /** Puts what the task ended with where another process finds it; false where there is no such place. */
  keep: () => Promise<boolean>;
  otherwise: (error: unknown) => T;
  /** Another process may make it anew: a worker that is about to stop leaves it to one. */
  repeatable?: boolean;
  /** Epoch ms. */
  deadlineAt?: number | undefined;
}

export interface HandBack {
  /** What is left to do instead when a newer attempt knows more; asked before each round of calls. */
  instead?: () => Promise<void> | undefined;
  /** A retryable failure would reach the workflow as a failure, not as a cancellation. */
  cancelled: () => Promise<void>;
  /** Whether some of what it ended with is settled, and the next attempt goes on from there. */
  isSettled?: boolean;
  fail: (attempt: Attempt) => Promise<Answer>;
}

/** Temporal has an ending, `ms` after it was first offered. */
export type OnDelivered = (ms: number) => void;

/** Takes endings to Temporal, by the newest token each task has, and forgets the task. */
export class Delivery {
  readonly #insistence: Insistence;
  readonly #heartbeats: Heartbeats;
  readonly #liveness: Liveness;
  readonly #log: Log;
  readonly #onDelivered: OnDelivered;

  constructor(
    insistence: Insistence,
    heartbeats: Heartbeats,
    liveness: Liveness,
    log: Log,
    onDelivered: OnDelivered,
  ) {
    this.#insistence = insistence;
    this.#heartbeats = heartbeats;
    this.#liveness = liveness;
    this.#log = log;
    this.#onDelivered = onDelivered;
  }

  /** Makes the call with the newest token, until Temporal accepts it or nobody waits. */
  async report(task: OwnedTask, call: (attempt: Attempt) => Promise<Answer>): Promise<void> {
    const go = (): boolean => !task.abandoned;
    const offered = performance.now();
    while (go()) {
      const { attempt } = task;
      const answer = await this.#insistence.call(task, go, () => call(attempt));
      if (answer === 'accepted') {
        this.#onDelivered(performance.now() - offered);
        return this.close(task);
      }
      if (answer && (await this.#heartbeats.resolveFence(task, attempt)) === 'closed') {
        return this.close(task);
      }
    }
  }

  /**
   * Lets Temporal start the next attempt. First the new progress, so that a crash right after
   * is not counted; then the release, so that the next attempt, which can start within a
   * millisecond, does not attach to what has ended; then the failure.
   */
  async handBack(
    task: OwnedTask,
    { instead, cancelled, isSettled = false, fail }: HandBack,
  ): Promise<void> {
    const go = (): boolean => !task.abandoned;
    while (go()) {
      const other = instead?.();
      if (other) return other;
      const { attempt } = task;
      const answer = await this.#insistence.call(task, go, () => this.#heartbeats.send(task));
      if (!answer) return;
      if (!answer.found) {
        if ((await this.#heartbeats.resolveFence(task, attempt)) === 'closed') {
          return this.close(task);
        }
        continue;
      }
      if (answer.cancelRequested) return cancelled();
      const { key } = task;
      const released = await (isSettled
        ? this.#liveness.leave(key, attempt)
        : this.#liveness.release(key, attempt));
      if (!released || !task.tryClose(attempt)) continue;
      await this.#insistence.call(task, go, () => fail(attempt));
      return;
    }
  }

  /** The activity is over: whatever attaches now is stale. */
  async close(task: OwnedTask): Promise<void> {
    task.tryClose(task.attempt);
    await this.#liveness.release(task.key);
  }

  /**
   * A payload store can be away, or a codec's keys, as Temporal can: `encode` is repeated while what
   * the task ended with is kept. `otherwise` is what is left when that has taken too long, when the
   * process ends and nobody else has the outcome, or when it is not wanted any more. Undefined when
   * another process goes on with it, or nobody waits.
   */
  async encode<T>(
    task: OwnedTask,
    { encode, keep, otherwise, repeatable = false, deadlineAt = Infinity }: Encoding<T>,
  ): Promise<T | undefined> {
    const giveUpAt = patienceEnds(task, deadlineAt);
    let current = new Try(encode());
    let keeping: Try<boolean> | undefined;
    for (let failures = 0; !task.abandoned;) {
      await current.within(SILENCE);
      const { result } = current;
      if (result && 'value' in result) return result.value;
      const error = result?.error ?? new PayloadError('payloadStore, payloadCodecs: no answer');
      if (result && ++failures === 1) {
        this.#log.error('A response cannot be encoded; trying again', { error, ...task.labels });
      }
      if (!task.kept) {
        // It goes through the codecs too.
        keeping ??= new Try(keep());
        await keeping.within(SILENCE);
        const { result: kept } = keeping;
        if (kept) keeping = undefined;
        task.kept = kept !== undefined && 'value' in kept && kept.value;
      }
      const { late, kept } = task;
      const isLeft = late === 'returned' || late === 'given-up';
      if (isLeft && kept && task.tryClose(task.attempt)) return undefined;
      if (late === 'closed') {
        await this.close(task);
        return undefined;
      }
      const mayPass = error instanceof PayloadError;
      const left = giveUpAt - Date.now();
      const isOver = left <= 0 || (!mayPass && failures === MAX_ENCODINGS);
      const isUnwanted = late === 'cancelled' || late === 'revoked' || late === 'given-up';
      task.lost = late === 'given-up' && !repeatable;
      if (isOver || isUnwanted || (isLeft && repeatable && result)) return otherwise(error);
      if (!result) continue;
      await task.pause(Math.min(100 * 2 ** failures, LONGEST_PAUSE, left));
      current = new Try(encode());
    }
    return undefined;
  }
}

/** Epoch ms until which an ending that cannot be encoded is kept. */
export function patienceEnds({ deliveringFor }: OwnedTask, deadlineAt = Infinity): number {
  return Math.min(Date.now() - deliveringFor + PATIENCE, deadlineAt);
}

/** Work that may take long, and how it stands. */
class Try<T> {
  result: { value: T } | { error: unknown } | undefined;
  readonly #ended: Promise<void>;

  constructor(work: Promise<T>) {
    this.#ended = work.then(
      (value) => void (this.result = { value }),
      (error: unknown) => void (this.result = { error }),
    );
  }

  /** Resolves when it has ended, or after `ms`. */
  async within(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
    await Promise.race([this.#ended, late]);
    clearTimeout(timer);
  }
}
