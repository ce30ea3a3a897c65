import { setTimeout as pause } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import type { HeldOutcomes } from '../liveness/held-outcomes.ts';
import type { Liveness, Orphan } from '../liveness/port.ts';
import { endInterrupted } from '../processor/ending.ts';
import type { BatchTask } from '../processor/batch-task.ts';
import type { ObservedError } from '../processor/observers.ts';
import type { OwnedTask } from '../processor/owned-task.ts';
import type { BatchHandler, Ending, TaskHandler } from '../processor/task-handler.ts';
import type { RequestTask } from '../processor/task.ts';
import type { Attempt } from '../shared/attempt.ts';
import { RequestError } from '../shared/errors.ts';
import { failureDetail, wireError } from '../shared/failure.ts';
import { withoutBody } from '../shared/held-response.ts';
import type { Log } from '../shared/log.ts';
import type { Outcome } from '../shared/outcome.ts';
import type { WireError } from '../shared/wire.ts';
import type { ActivityRpc, Answer } from './activity-rpc.ts';
import { encodeAtLast } from './at-last.ts';
import { encodeResults, errorIn, type BatchResults } from './batch-results.ts';
import { Delivery, patienceEnds, type HandBack, type OnDelivered } from './delivery.ts';
import { finalFailure, reasonOf, retryFailure, returnFailure, unencodable } from './failure.ts';
import { Heartbeats } from './heartbeats.ts';
import { Insistence, isRefused } from './insist.ts';
import { encodeOutcome, isKept, type EncodedOutcome } from './outcome.ts';

/** Server and worker may see a cancel request in either order for this many tries. */
const CANCEL_TRIES = 5;

/** Takes the endings of requests to Temporal, by the newest token each one has. */
export class TemporalCompletion implements TaskHandler, BatchHandler {
  readonly #liveness: Liveness;
  readonly #held: HeldOutcomes;
  readonly #log: Log;
  readonly #rpc: ActivityRpc;
  readonly #insistence: Insistence;
  readonly #heartbeats: Heartbeats;
  readonly #delivery: Delivery;

  constructor(
    rpc: ActivityRpc,
    liveness: Liveness,
    held: HeldOutcomes,
    log: Log,
    onDelivered: OnDelivered = () => undefined,
  ) {
    this.#liveness = liveness;
    this.#held = held;
    this.#log = log;
    this.#rpc = rpc;
    this.#insistence = new Insistence(log);
    this.#heartbeats = new Heartbeats(rpc, this.#insistence, liveness, log);
    this.#delivery = new Delivery(this.#insistence, this.#heartbeats, liveness, log, onDelivered);
  }

  begin(task: OwnedTask): void {
    this.#heartbeats.start(task);
  }

  end(task: OwnedTask): void {
    this.#heartbeats.stop(task);
  }

  async markSent(task: RequestTask): Promise<void> {
    const go = (): boolean => !task.interruption && task.phase !== 'delivering';
    // Before the call: a heartbeat that is due while it is under way must not take the mark back.
    task.progress = { ...task.progress, sent: true };
    for (;;) {
      const { attempt } = task;
      const answer = await this.#insistence.call(task, go, () => this.#heartbeats.send(task));
      if (answer?.found) {
        task.obey(answer);
        // Not one byte is out yet: a paused request waits in Temporal like any other.
        if (answer.paused) task.interrupt('returned');
      } else if (answer) {
        const fence = await this.#heartbeats.resolveFence(task, attempt);
        if (fence === 'closed') task.interrupt('closed');
        // The attempt that it waits for may be fetched through the place that it holds.
        else if (task.attempt === attempt) task.interrupt('returned');
      }
      if (!go()) throw notSent();
      if (answer?.found) return;
    }
  }

  async finish(task: RequestTask, ending: Ending): Promise<void> {
    const { progress } = task;
    switch (ending.kind) {
      case 'outcome':
        return this.#deliver(task, ending.outcome);
      case 'cancelled':
        return this.#cancel(task, ending.error);
      case 'retry': {
        const { error, delay } = ending;
        task.progress = { ...progress, tries: progress.tries + 1 };
        return this.#handBack(task, retryFailure(error.type, error.message, delay, error));
      }
      case 'return':
        task.progress = { ...progress, returns: progress.returns + 1 };
        return this.#handBack(task, returnFailure(ending.delay));
      case 'dropped':
        return this.#delivery.close(task);
      default: {
        const never: never = ending;
        return never;
      }
    }
  }

  async #deliver(task: RequestTask, decided: Outcome): Promise<void> {
    const encoded = await this.#delivery.encode<EncodedOutcome | Ending>(task, {
      encode: () => encodeOutcome(this.#rpc, task, decided),
      keep: async () => isKept(decided) && (await this.#liveness.settle(task.key, decided)),
      otherwise: (error) => endingInstead(task) ?? failedOutcome(task, decided, error),
      repeatable: task.request.resendable,
      deadlineAt: task.deadlineAt,
    });
    if (!encoded) return;
    if ('kind' in encoded) return this.finish(task, encoded);
    const { outcome, payloads } = encoded;
    let settled = false;
    const settle = async (): Promise<void> => {
      settled ||= await this.#liveness.settle(task.key, outcome);
      task.kept = settled;
    };
    // One that may be re-sent costs at worst a second send: it is kept only when Temporal does not
    // take it at once.
    if (!task.request.resendable) await settle();
    await this.#delivery
      .report(task, async ({ token }) => {
        try {
          const told = task.sentElsewhere ? outcomeUnknown(task) : outcome;
          const answer = await (told.kind === 'error'
            ? this.#fail(task, token, told.error)
            : this.#rpc.complete(token, payloads));
          if (answer === 'not-found') await settle();
          return answer;
        } catch (error) {
          await settle();
          throw error;
        }
      })
      .catch(async (error: unknown) => {
        if (!isRefused(error)) throw error;
        this.#log.error('Temporal refused an outcome', { error, ...task.labels });
        if (outcome.kind === 'error') return this.#delivery.close(task);
        const refused = new RequestError('UnknownError', 'Temporal refused the response', {
          phase: 'sent',
          cause: error,
        });
        const failure = wireError(refused, withoutBody(outcome.response));
        return this.#delivery.report(task, ({ token }) => this.#fail(task, token, failure));
      });
  }

  async #fail(task: RequestTask, token: Uint8Array, error: WireError): Promise<Answer> {
    const lastAt = patienceEnds(task, task.deadlineAt);
    const answer = await this.#rpc.fail(task.key, token, finalFailure(error), lastAt);
    if (answer === 'accepted') task.deliveredError = error;
    return answer;
  }

  async record(batch: BatchTask): Promise<void> {
    const go = (): boolean => !batch.isClosed && !batch.abandoned;
    while (go()) {
      const { attempt } = batch;
      const answer = await this.#insistence.call(batch, go, () => this.#heartbeats.send(batch));
      if (answer?.found) return batch.obey(answer);
      if (!answer) continue;
      const fence = await this.#heartbeats.resolveFence(batch, attempt);
      if (fence === 'closed') batch.interrupt('closed');
      else if (batch.attempt === attempt) batch.returnUnsent();
    }
    throw notSent();
  }

  async finishBatch(batch: BatchTask): Promise<void> {
    if (batch.isClosed) return this.#delivery.close(batch);
    const { returnsIn } = batch;
    if (returnsIn === undefined) return this.#completeBatch(batch);
    const failure = retryFailure('Returned', 'Its requests wait for room in a worker', returnsIn);
    // Each of its items then says that it was not sent.
    return this.#handBackBatch(batch, {
      cancelled: () => this.#completeBatch(batch),
      fail: ({ token }) => this.#rpc.fail(batch.key, token, failure),
    });
  }

  #handBackBatch(batch: BatchTask, handBack: HandBack): Promise<void> {
    batch.progress = { ...batch.progress, returns: batch.progress.returns + 1 };
    return this.#delivery.handBack(batch, handBack);
  }

  async #completeBatch(batch: BatchTask): Promise<void> {
    const encoded = await this.#delivery.encode<BatchResults | { error: unknown }>(batch, {
      encode: () => encodeResults(this.#rpc, this.#held, batch),
      // Each of its items was, where that is possible.
      keep: async () => false,
      otherwise: (error) => ({ error }),
      deadlineAt: batch.deadlineAt,
    });
    if (!encoded) return;
    const given =
      'payloads' in encoded
        ? encoded
        : await encodeAtLast(this.#rpc, batch, encoded.error).catch(() => undefined);
    const report = (
      call: (attempt: Attempt) => Promise<Answer>,
      errorOf: (position: number) => ObservedError | undefined,
    ): Promise<void> =>
      this.#delivery.report(batch, async (attempt) => {
        const answer = await call(attempt);
        if (answer === 'accepted') batch.delivered(errorOf);
        return answer;
      });
    const refuse = (message: string): Promise<void> => {
      const type = 'UnknownError';
      const failure = ApplicationFailure.nonRetryable(message, type);
      const error: ObservedError = { type, message, phase: 'sent' };
      return report(
        ({ token }) => this.#rpc.fail(batch.key, token, failure),
        () => error,
      );
    };
    if (!given) {
      const { error } = encoded as { error: unknown };
      const message = `The results could not be encoded; ${reasonOf(error)}`;
      const isLeft = batch.late === 'returned' || batch.late === 'given-up';
      if (!isLeft) return refuse(message);
      // Another process may have what this one lacks.
      const failure = retryFailure('Returned', message, 1);
      return this.#handBackBatch(batch, {
        cancelled: () => refuse(message),
        isSettled: true,
        fail: ({ token }) => this.#rpc.fail(batch.key, token, failure),
      });
    }
    batch.lost = false;
    try {
      await report(
        ({ token }) => this.#rpc.complete(token, given.payloads),
        (position) => errorIn(given.results[position]!),
      );
    } catch (error) {
      if (!isRefused(error)) throw error;
      this.#log.error('Temporal refused the results of a batch', { error, ...batch.labels });
      await refuse('Temporal refused the results');
    }
  }

  /**
   * Takes a dead process's request to Temporal: its outcome when there is one (`true` once Temporal
   * has it), else the failure of its attempt, after which Temporal starts the next (`false`). Gives
   * up when `go` says no.
   */
  async releaseOrphan(orphan: Orphan, go: () => boolean): Promise<boolean> {
    const { key, attempt } = orphan;
    const { token } = attempt;
    const encoded = await this.#encodeOrphan(orphan);
    const call = (): Promise<Answer> => {
      if (encoded?.outcome.kind === 'error') {
        return this.#rpc.fail(key, token, finalFailure(encoded.outcome.error));
      }
      if (encoded) return this.#rpc.complete(token, encoded.payloads);
      const failure = retryFailure('Orphaned', 'The worker that ran the request is gone', 1);
      return this.#rpc.fail(key, token, failure);
    };
    try {
      const answer = await this.#insistence.call({ pause }, go, call);
      return encoded !== undefined && answer === 'accepted';
    } catch (error) {
      // What Temporal refuses for good is for the next attempt to end, after its heartbeat timeout.
      this.#log.error('Temporal refused an orphan', { error, workflowId: key.workflowId });
      return false;
    }
  }

  /**
   * Undefined for what cannot be encoded here and now, or only as a failure in its place: it stays kept
   * for the next attempt, which may come to a process that can, and tells of what it delivers.
   */
  async #encodeOrphan(orphan: Orphan): Promise<EncodedOutcome | undefined> {
    const { outcome } = orphan;
    if (!outcome) return undefined;
    const encoded = await encodeOutcome(this.#rpc, orphan, outcome).catch(() => undefined);
    const isReplaced = encoded?.outcome.kind === 'error' && outcome.kind !== 'error';
    return isReplaced ? undefined : encoded;
  }

  async #cancel(task: RequestTask, error: WireError): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        const detail = failureDetail(error);
        return await this.#delivery.report(task, async ({ token }) => {
          const answer = await this.#rpc.cancelled(task.key, token, detail);
          if (answer === 'accepted') task.deliveredError = error;
          return answer;
        });
      } catch (refused) {
        // Refused while the server does not know of the cancel: it may learn of it any moment.
        if (!isRefused(refused)) throw refused;
        if (tries === CANCEL_TRIES) return this.#deliver(task, { kind: 'error', error });
        await task.pause(50 * 2 ** tries);
      }
    }
  }

  #handBack(task: RequestTask, failure: ApplicationFailure): Promise<void> {
    return this.#delivery.handBack(task, {
      instead: () => {
        if (task.sentElsewhere) return this.#deliver(task, outcomeUnknown(task));
        // This try is over; the mark that it made is taken back.
        task.progress = { ...task.progress, sent: false };
        return undefined;
      },
      cancelled: () => this.finish(task, endInterrupted(task, 'cancelled', task.reached)),
      fail: ({ token }) => this.#rpc.fail(task.key, token, failure),
    });
  }
}

/** A newer attempt, which came late, knows more than this process does. */
function outcomeUnknown(task: RequestTask): Outcome {
  return (endInterrupted(task, 'sent-elsewhere', 'sent') as Ending & { kind: 'outcome' }).outcome;
}

/** Of a task that was stopped while its response could not be encoded; undefined: it fails for that. */
function endingInstead(task: RequestTask): Ending | undefined {
  const { late, request } = task;
  if (late === 'cancelled' || late === 'revoked') return endInterrupted(task, late, 'sent');
  const isLeft = late === 'returned' || late === 'given-up';
  return isLeft && request.resendable ? endInterrupted(task, late, 'sent') : undefined;
}

function failedOutcome(task: RequestTask, outcome: Outcome, cause: unknown): EncodedOutcome {
  if (outcome.kind === 'error') return { outcome, payloads: [] };
  const error = unencodable(outcome.response, cause, task.late);
  return { outcome: { kind: 'error', error }, payloads: [] };
}

function notSent(): RequestError {
  return new RequestError('ConnectionError', 'Stopped before the first byte was sent', {
    phase: 'connect',
    transient: true,
  });
}
