import type { Client } from '@temporalio/client';
import { Worker, type NativeConnection } from '@temporalio/worker';
import { makePlainCalls } from './workflows.ts';

const TASK_QUEUE = 'plain-fetch';
/** Temporal's default for `maxConcurrentActivityTaskExecutions`. */
export const SLOTS = 100;

export interface PlainSample {
  calls: number;
  ms: number;
  /** When the last call could start, and so how long all slots were busy. */
  lastStart: number;
}

/** The usual way: an activity that waits for its response, in one of the worker's slots. */
export async function plainFetch(url: string): Promise<{ status: number; body: string }> {
  const response = await fetch(url, { signal: AbortSignal.timeout(50_000) });
  return { status: response.status, body: await response.text() };
}

/** Runs the calls through a worker of their own with default settings, on its own queue. */
export async function measurePlainFetch(
  connection: NativeConnection,
  client: Client,
  { urls, workflowQueue }: { urls: string[]; workflowQueue: string },
): Promise<PlainSample> {
  let lastStart = 0;
  const activities = {
    plainFetch(url: string) {
      lastStart = performance.now();
      return plainFetch(url);
    },
  };
  const worker = await Worker.create({ connection, taskQueue: TASK_QUEUE, activities });
  return await worker.runUntil(async () => {
    const started = performance.now();
    await client.workflow.execute(makePlainCalls, {
      workflowId: 'plain-fetch',
      taskQueue: workflowQueue,
      args: [urls, TASK_QUEUE],
    });
    const ms = performance.now() - started;
    return { calls: urls.length, ms, lastStart: lastStart - started };
  });
}

/** ms for so many calls: those beyond the sample at the rate at which it went through full slots. */
export function extrapolate({ calls, ms, lastStart }: PlainSample, total: number): number {
  if (total <= calls || calls <= SLOTS) return (ms * total) / calls;
  return ms + (total - calls) / ((calls - SLOTS) / lastStart);
}
