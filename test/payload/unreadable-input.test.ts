/* Requests that a process cannot read: it lacks the key that they are encrypted with, or their store is away. */
import { Client, Connection } from '@temporalio/client';
import { expect, inject, test } from 'vitest';
import { PatientClient, PatientPlugin } from '../../src/index.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';
import { startSecondWorker } from '../temporal/support/second-worker.ts';
import { A, B, Memory, unique } from './support.ts';

const LONG = 60_000;
const [OLD, NEW] = [`a:${A}`, `b:${B}`];
const BODY = 'x'.repeat(5_000);

/** Gives the workflow what it asks for, and the activity nothing, so many times. */
class Flaky extends Memory {
  refuses = 2;
  #gets = 0;

  override async get(id: string): Promise<Uint8Array | undefined> {
    this.#gets++;
    if (this.#gets > 1 && this.#gets <= 1 + this.refuses) throw new Error('no connection');
    return super.get(id);
  }
}

/** An attempt of the one activity that runs. */
async function attempt(env: Environment, workflowId: string, number: number): Promise<string> {
  return await waitFor(async () => {
    const { raw } = await env.client.workflow.getHandle(workflowId).describe();
    const [activity] = raw.pendingActivities ?? [];
    return activity && activity.attempt! >= number && activity.lastFailure!.message!;
  });
}

test('a spec in a store that is away is no crash', { timeout: LONG }, async () => {
  const payloadStore = new Flaky();
  const options = { payloadStore, payloadThreshold: 3_000, maxCrashes: 1 };
  await using env = await startEnvironment(options);
  const response = await env.patient.post(env.target.url('/echo'), { body: BODY });
  expect(response.json()).toMatchObject({ body: BODY });
  expect(env.target.total).toBe(1);
});

test(
  'a key that was removed too early is put back, and nothing is lost',
  { timeout: LONG },
  async () => {
    await using env = await startEnvironment({ encryptionKeys: [OLD], maxCrashes: 1 });
    const requestId = unique('unreadable');
    await env.patient.submit.get(env.target.url('/hold'), { requestId });
    await env.target.waitFor(({ held }) => held === 1);
    await env.worker.shutdown();
    {
      await using _newer = await startSecondWorker(env, { encryptionKeys: [NEW] });
      expect(await attempt(env, requestId, 4)).toContain(
        'encrypted with key "a"; this process has "b"',
      );
    }
    const keys = { encryptionKeys: [NEW, OLD] };
    await using _both = await startSecondWorker(env, { ...keys, maxCrashes: 1 });
    await env.target.waitFor(({ held }) => held === 1);
    env.target.release();
    await using connection = Object.assign(
      await Connection.connect({ address: inject('temporalAddress') }),
      {
        [Symbol.asyncDispose](this: Connection) {
          return this.close();
        },
      },
    );
    const client = new Client({ connection, plugins: [new PatientPlugin(keys)] });
    const patient = new PatientClient({ client, taskQueue: env.taskQueue });
    expect(await patient.handle(requestId).result()).toMatchObject({ status: 200, attempt: 1 });
  },
);
