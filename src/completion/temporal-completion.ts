import { setTimeout as pause } from 'node:timers/promises';
import { ApplicationFailure } from '@temporalio/common';
import type { Liveness, Orphan } from '../liveness/port.ts';
import { endInterrupted } from '../processor/ending.ts';
import type { BatchTask } from '../processor/batch-task.ts';
import type { OwnedTask } from '../processor/owned-task.ts';
import type { BatchHandler, Ending, TaskHandler } from '../processor/task-handler.ts';
import type { RequestTask } from '../processor/task.ts';
import type { Attempt } from '../shared/attempt.ts';
import { PayloadError, RequestError } from '../shared/errors.ts';
import { failureDetail, wireError } from '../shared/failure.ts';
import type { Log } from '../shared/log.ts';
import type { RequestKey } from '../shared/request-key.ts';
import type { Outcome, WireError } from '../shared/wire.ts';
import type { ActivityRpc, Answer, Payloads } from './activity-rpc.ts';
import { encodeResults } from './batch-results.ts';
import { Delivery } from './delivery.ts';
import { finalFailure, retryFailure, returnFailure } from './failure.ts';
import { Heartbeats } from './heartbeats.ts';
import { Insistence, isRefused } from './insist.ts';
import { encodeOutcome } from './outcome.ts';

/** Server and worker may see a cancel request in either order for this many tries. */
const CANCEL_TRIES = 5;

/** Takes the endings of requests to Temporal, by the newest token each one has. */
export class TemporalCompletion implements TaskHandler, BatchHandler {
  readonly #liveness: Liveness;
  readonly #log: Log;
  readonly #rpc: ActivityRpc;
  readonly #insistence: Insistence;
  readonly #heartbeats: Heartbeats;
  readonly #delivery: Delivery;

  constructor(rpc: ActivityRpc, liveness: Liveness, log: Log) {
    this.#liveness = liveness;
    this.#log = log;
    this.#rpc = rpc;
    this.#insistence = new Insistence(log);
    this.#heartbeats = new Heartbeats(rpc, this.#insistence, liveness, log);
    this.#delivery = new Delivery(this.#insistence, this.#heartbeats, liveness, log);
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
    const encoded = await this.#delivery.encode(
      task,
      () => encodeOutcome(this.#rpc, task, decided),
      (error) => ({
        outcome: { kind: 'error' as const, error: notEncoded(task, error) },
        payloads: [],
      }),
    );
    if (!encoded) return;
    const { outcome, payloads } = encoded;
    let settled = false;
    const settle = async (): Promise<void> => {
      settled ||= await this.#liveness.settle(task.key, outcome);
    };
    // One that may be re-sent costs at worst a second send: it is kept only when Temporal does not
    // take it at once.
    if (!task.request.resendable) await settle();
    await this.#delivery
      .report(task, async ({ token }) => {
        try {
          const told = task.sentElsewhere ? outcomeUnknown(task) : outcome;
          const answer = await this.#reportOutcome(task.key, token, told, payloads);
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
        const failure = finalFailure(wireError(refused, { ...outcome.response }));
        return this.#delivery.report(task, ({ token }) => this.#rpc.fail(task.key, token, failure));
      });
  }

  #reportOutcome(
    key: RequestKey,
    token: Uint8Array,
    outcome: Outcome,
    payloads: Payloads,
  ): Promise<Answer> {
    return outcome.kind === 'response'
      ? this.#rpc.complete(token, payloads)
      : this.#rpc.fail(key, token, finalFailure(outcome.error));
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
    const payloads = await this.#delivery.encode(
      batch,
      () => encodeResults(this.#rpc, batch),
      () => undefined,
    );
    if (batch.abandoned) return;
    const report = (call: (attempt: Attempt) => Promise<Answer>): Promise<void> =>
      this.#delivery.report(batch, call);
    const refuse = (message: string): Promise<void> => {
      const failure = ApplicationFailure.nonRetryable(message, 'UnknownError');
      return report(({ token }) => this.#rpc.fail(batch.key, token, failure));
    };
    if (!payloads) return refuse('The results could not be encoded; the worker log says why');
    try {
      await report(({ token }) => this.#rpc.complete(token, payloads));
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
    const { key, attempt, outcome } = orphan;
    const { token } = attempt;
    // One that cannot be encoded here and now stays kept, for the next attempt.
    const encoded =
      outcome && (await encodeOutcome(this.#rpc, orphan, outcome).catch(() => undefined));
    const call = (): Promise<Answer> => {
      if (encoded) return this.#reportOutcome(key, token, encoded.outcome, encoded.payloads);
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

  async #cancel(task: RequestTask, error: WireError): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        const detail = failureDetail(error);
        return await this.#delivery.report(task, ({ token }) =>
          this.#rpc.cancelled(task.key, token, detail),
        );
      } catch (refused) {
        // Refused while the server does not know of the cancel: it may learn of it any moment.
        if (!isRefused(refused)) throw refused;
        if (tries === CANCEL_TRIES) return this.#deliver(task, { kind: 'error', error });
        await task.pause(50 * 2 ** tries);
      }
    }
  }

  /**
   * Lets Temporal start the next attempt. First the new progress, so that a crash right after
   * is not counted; then the release, so that the next attempt, which can start within a
   * millisecond, does not attach to a request that has ended; then the failure.
   */
  async #handBack(task: RequestTask, failure: ApplicationFailure): Promise<void> {
    const go = (): boolean => !task.abandoned;
    while (go()) {
      if (task.sentElsewhere) return this.#deliver(task, outcomeUnknown(task));
      const { attempt } = task;
      // This try is over; the mark that it made is taken back.
      task.progress = { ...task.progress, sent: false };
      const answer = await this.#insistence.call(task, go, () => this.#heartbeats.send(task));
      if (!answer) return;
      if (!answer.found) {
        if ((await this.#heartbeats.resolveFence(task, attempt)) === 'closed') {
          return this.#delivery.close(task);
        }
        continue;
      }
      // A retryable failure would reach the workflow as a failure, not as a cancellation.
      if (answer.cancelRequested) {
        return this.finish(task, endInterrupted(task, 'cancelled', task.reached));
      }
      const released = await this.#liveness.release(task.key, attempt);
      if (!released || !task.tryClose(attempt)) continue;
      await this.#insistence.call(task, go, () => this.#rpc.fail(task.key, attempt.token, failure));
      return;
    }
  }
}

/** A newer attempt, which came late, knows more than this process does. */
function outcomeUnknown(task: RequestTask): Outcome {
  return (endInterrupted(task, 'sent-elsewhere', 'sent') as Ending & { kind: 'outcome' }).outcome;
}

/** What a codec of the user's says is for the log: it may hold anything. */
function notEncoded({ request, tryNumber }: RequestTask, cause: unknown): WireError {
  const reason = cause instanceof PayloadError ? cause.message : 'the worker log says why';
  const message = `The response could not be encoded for Temporal; ${reason}`;
  const error = new RequestError('UnknownError', message, { phase: 'sent', cause });
  return wireError(error, { ...request, durationMs: 0, attempt: tryNumber });
}

function notSent(): RequestError {
  return new RequestError('ConnectionError', 'Stopped before the first byte was sent', {
    phase: 'connect',
    transient: true,
  });
}
