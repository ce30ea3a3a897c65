import { setTimeout as delay } from 'node:timers/promises';
import { WorkflowNotFoundError } from '@temporalio/client';
import type { PlannedRequest } from './traffic.ts';
import { CALLBACK_QUEUE, type World } from './world.ts';

/** ms; longer than any outage. */
const INSIST = 60_000;
const PAUSE = 200;

/** What was asked of a request. */
export interface SentRequest extends PlannedRequest {
  /** Epoch ms; Temporal may have taken it a moment later. */
  startedAt: number;
  cancelAsked: boolean;
}

/** Starts a request at its time and cancels it at its time, outages or not. */
export async function send(world: World, planned: PlannedRequest): Promise<SentRequest> {
  const { id, path, spec, callback, cancelAfter } = planned;
  const sent: SentRequest = { ...planned, startedAt: Date.now(), cancelAsked: false };
  const handle = await insist(() =>
    world.patient.submit.request({
      ...{ ...spec, requestId: id, url: world.target.url(path), callbackArgs: { id } },
      ...(callback && { callback: { workflow: callback, taskQueue: CALLBACK_QUEUE } }),
    }),
  );
  if (cancelAfter === undefined) return sent;
  await delay(cancelAfter);
  try {
    sent.cancelAsked = true;
    world.journal.note(`cancel of ${id}`);
    await insist(() => handle.cancel());
  } catch (error) {
    // It has ended already.
    if (!(error instanceof WorkflowNotFoundError)) throw error;
  }
  return sent;
}

/** The call's answer, however often it must be made. */
export async function insist<T>(call: () => Promise<T>): Promise<T> {
  const limit = performance.now() + INSIST;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (error instanceof WorkflowNotFoundError || performance.now() > limit) throw error;
      await delay(PAUSE);
    }
  }
}
