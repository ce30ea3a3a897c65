import { setTimeout as delay } from 'node:timers/promises';
import { CompleteAsyncError, Context, type Info } from '@temporalio/activity';
import { createControlActivities } from '../../activities/control.ts';
import { createRequestActivities } from '../../activities/submit.ts';
import { finalFailure } from '../completion/failure.ts';
import type { Ending } from '../processor/task-handler.ts';
import type { BatchInput } from '../processor/batch-task.ts';
import type { TaskInput } from '../processor/task.ts';
import type { ControlActivities, RequestActivities } from '../shared/activities.ts';
import type { WireResponse } from '../shared/wire.ts';
import { InlineProcessor, resultOf, type InlineOptions } from './inline-processor.ts';

/** A cancel is known to the server before the control activity starts; its answer takes a moment. */
const CANCEL_PATIENCE = 5_000;

/** Activities for a plain worker; disposing of them aborts what is in flight. */
export interface InlineActivities extends RequestActivities, ControlActivities, AsyncDisposable {}

/**
 * The activities of the Patient HTTP workers for a plain worker of your own. A request runs inside
 * its activity, so time can be skipped when it has ended, also over the delay before the next try.
 * Run them on the queues `patient-http:requests` and `patient-http`. Disposing aborts what is in
 * flight and closes the sockets; with `respond` there are none.
 *
 * @example
 * const activities = createInlineActivities({ respond: ({ url }) => ({ json: { url } }) });
 * const worker = await Worker.create({ taskQueue: 'patient-http:requests', activities });
 */
export function createInlineActivities(options: InlineOptions = {}): InlineActivities {
  const inline = new InlineProcessor(options);
  return {
    ...createControlActivities(inline.liveness, inline.held, inline.options),
    async submitRequest(spec, context) {
      const activity = Context.current();
      return completeHere(inline, async (running) => {
        const submit = async (received: TaskInput): Promise<void> => {
          const input = onLocalClock(received, activity.info);
          const ended = inline.attempt(input);
          running(input, async () => report(activity, input, await ended));
        };
        const processor = { submit, submitBatch: notSubmitted };
        await createRequestActivities(processor, inline.options).submitRequest(spec, context);
      });
    },
    async submitBatch(chunk, context) {
      return completeHere(inline, async (running) => {
        const submitBatch = async (input: BatchInput): Promise<void> => {
          const results = inline.attemptBatch(input);
          running(input, () => results);
        };
        const processor = { submit: notSubmitted, submitBatch };
        await createRequestActivities(processor, inline.options).submitBatch(chunk, context);
      });
    },
    [Symbol.asyncDispose]: () => inline[Symbol.asyncDispose](),
  };
}

/** Each activity makes but its own kind of task. */
function notSubmitted(): never {
  throw new TypeError('A defect: the activity submitted what is not its own');
}

type Running<T> = (input: TaskInput | BatchInput, result: () => Promise<T>) => void;

/** Stays in the activity until what it submits has ended, instead of completing it later. */
async function completeHere<T>(
  inline: InlineProcessor,
  submit: (running: Running<T>) => Promise<void>,
): Promise<T> {
  const activity = Context.current();
  let running: { input: TaskInput | BatchInput; result: () => Promise<T> } | undefined;
  try {
    await submit((input, result) => (running = { input, result }));
  } catch (error) {
    if (!(error instanceof CompleteAsyncError)) throw error;
  }
  if (!running) throw notSubmitted();
  const { input, result } = running;
  const cancel = (): Promise<void> => inline.liveness.cancel(input.key);
  if (activity.cancellationSignal.aborted) await cancel();
  activity.cancellationSignal.addEventListener('abort', cancel, { once: true });
  const alive = setInterval(() => activity.heartbeat(input.progress), input.heartbeatTimeout / 3);
  try {
    return await result();
  } finally {
    clearInterval(alive);
  }
}

async function report(
  activity: Context,
  { progress }: TaskInput,
  ending: Ending,
): Promise<WireResponse> {
  if (ending.kind === 'retry') activity.heartbeat({ ...progress, tries: progress.tries + 1 });
  if (ending.kind === 'return') activity.heartbeat({ ...progress, returns: progress.returns + 1 });
  if (ending.kind === 'cancelled') {
    // Only in answer to a heartbeat does an activity learn that it may end as cancelled.
    activity.heartbeat(progress);
    const told = activity.cancelled.catch(() => true);
    if (!(await Promise.race([told, delay(CANCEL_PATIENCE, false, { ref: false })]))) {
      throw finalFailure(ending.error);
    }
  }
  return resultOf(ending);
}

/** After time was skipped the server's clock is ahead of ours. */
function onLocalClock(input: TaskInput, info: Info): TaskInput {
  if (input.deadlineAt === undefined) return input;
  const left = input.deadlineAt - info.currentAttemptScheduledTimestampMs;
  return { ...input, deadlineAt: Date.now() + left };
}
