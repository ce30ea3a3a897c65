import { randomUUID } from 'node:crypto';
import type { BatchSpec, SourcePage } from '../../../src/shared/wire-batch.ts';
import type { Environment } from '../../support/environment.ts';
import { cancelOnceSent, ended, startUser, type Case } from './history-runs.ts';
import { callbackTo, start } from './outcomes.ts';

/** Of the user's worker in the environment. */
export const batchActivities = {
  async pages(cursor: number | null, urls: string[]): Promise<SourcePage> {
    const at = cursor ?? 0;
    return { requests: [urls[at]!], cursor: at + 1 < urls.length ? at + 1 : null };
  },
  async save(): Promise<void> {},
};

const batch = (env: Environment, spec: BatchSpec) => ended(start(env, 'patientBatch', spec));

const urls = (env: Environment, count: number): string[] =>
  Array.from({ length: count }, (_, i) => env.target.url(`/status/200?${i}`));

export const BATCH_HISTORY_CASES: Record<string, Case> = {
  'patientBatch-responses': (env) =>
    batch(env, {
      requests: [...urls(env, 4), 'no url'],
      ...{ chunkSize: 2, concurrency: 2, keep: 'status' },
    }),

  'patientBatch-retries': (env) =>
    batch(env, {
      requests: [env.target.url(`/flaky/${randomUUID()}/2/503`), ...urls(env, 2)],
      defaults: { retry: { initialInterval: 10 } },
    }),

  'patientBatch-callbacks': (env) =>
    batch(env, {
      requests: urls(env, 3),
      defaults: { callback: callbackTo(env), callbackArgs: { id: 1 } },
      ...{ chunkSize: 2, keep: 'none' },
    }),

  'patientBatch-activities': (env) => {
    const { userQueue: taskQueue } = env;
    const source = { activity: 'pages', taskQueue, args: [urls(env, 5)] };
    const sink = { activity: 'save', taskQueue };
    return batch(env, { source, sink, chunkSize: 2, concurrency: 2 });
  },

  'patientBatch-pages': (env) => {
    const source = { activity: 'pages', taskQueue: env.userQueue, args: [urls(env, 3)] };
    return batch(env, { source, keep: 'none', chunkSize: 1, concurrency: 2 });
  },

  'patientBatch-file': (env) =>
    batch(env, {
      requests: urls(env, 3),
      sink: { file: `${randomUUID()}.jsonl` },
      ...{ chunkSize: 2, keep: 'none' },
    }),

  'patientBatch-cancelled': async (env) => {
    const requests = [env.target.url('/hold'), ...urls(env, 1)];
    const handle = await start(env, 'patientBatch', { requests, chunkSize: 2 });
    await cancelOnceSent(env, handle);
    return handle;
  },

  'inlineBatch-responses': (env) =>
    ended(startUser(env, 'inlineBatch', [urls(env, 3), env.taskQueue, { chunkSize: 2 }])),
};
