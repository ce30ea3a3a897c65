import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { WorkflowHandle } from '@temporalio/client';
import { expect, onTestFinished, test } from 'vitest';
import { run } from '../cli/process.ts';
import { expectNoSecret } from '../support/secret-forms.ts';
import { waitFor } from '../support/wait-for.ts';
import { callbackOf, exists, failureOf } from '../temporal/support/outcomes.ts';
import { startFleet } from './fleet.ts';

const TOKEN = 'tok_/9+"Zq&=%7A secret';
const [OLD, NEW] = ['old-pass/word+1', 'new-pass/word+2'];
const SECRETS = [TOKEN, OLD, NEW];

test('no secret in history, callback, log, Redis or `patient ps`', async () => {
  const secretsDirectory = await mkdtemp(path.join(tmpdir(), 'secrets-'));
  onTestFinished(() => rm(secretsDirectory, { recursive: true }));
  const password = path.join(secretsDirectory, 'PASSWORD');
  await writeFile(password, `${OLD}\n`);

  await using fleet = await startFleet({
    env: {
      PATIENT_SECRET_TOKEN: TOKEN,
      PATIENT_SECRETS_DIRECTORY: secretsDirectory,
      PATIENT_LOG_LEVEL: 'trace',
    },
  });
  const { client, patient, target, redis, taskQueue } = fleet;
  const commands: string[] = [];
  const monitor = await redis.redis.monitor();
  monitor.on('monitor', (_time: string, args: string[]) => commands.push(args.join(' ')));
  const worker = await fleet.worker();

  const headers = {
    authorization: { $secret: 'PASSWORD', username: 'me' },
    'x-token': { $secret: 'TOKEN', prefix: 'Token ' },
  };
  const params = { token: { $secret: 'TOKEN' } };
  const callback = { workflow: 'nobody', taskQueue: `${taskQueue}:nobody` };
  const handles: WorkflowHandle[] = [];
  const started = async (requestId: string) => {
    const handle = client.workflow.getHandle(requestId);
    const { runId } = await handle.describe();
    const called = callbackOf(client, requestId, runId);
    await waitFor(() => exists(called), { message: `the callback of ${requestId}` });
    handles.push(handle, called);
  };

  const echo = await patient.submit.put(target.url('/redirect-to?status=307&url=/echo'), {
    ...{ headers, params, json: { a: 1 }, callback },
  });
  const echoed = await echo.result();
  expect(echoed!.text()).toContain('Token [secret TOKEN]');
  expect(echoed!.text()).toContain('Basic [secret PASSWORD]');
  await started(echo.requestId);

  // The target answers with what `body` says.
  const failed = await patient.submit.get(target.url('/status/500'), {
    ...{ headers, params: { body: { $secret: 'TOKEN' } }, callback },
    ...{ raiseErrorResponses: true, retry: { maximumAttempts: 1 } },
  });
  expect(await failureOf(failed.result())).toMatchObject({
    type: 'HttpStatusError',
    response: { body: '[secret TOKEN]', url: target.url('/status/500') },
  });
  await started(failed.requestId);

  const retried = await patient.submit.get(target.url('/flaky/secrets/1/503'), {
    ...{ headers, callback },
  });
  await target.waitFor(() => target.count('/flaky/secrets/1/503') === 1);
  await writeFile(password, `${NEW}\n`);
  expect(await retried.result()).toMatchObject({ status: 200, attempt: 2 });
  await started(retried.requestId);
  const basic = (value: string): string => `Basic ${Buffer.from(`me:${value}`).toString('base64')}`;
  const tries = target.hits.filter((hit) => hit.path.startsWith('/flaky/'));
  expect(tries.map((hit) => hit.headers.authorization)).toEqual([basic(OLD), basic(NEW)]);

  const total = target.total;
  const missing = await patient.submit.get(target.url('/echo'), {
    ...{ headers: { ...headers, 'x-other': { $secret: 'MISSING' } }, callback },
  });
  expect(await failureOf(missing.result())).toMatchObject({
    ...{ type: 'SecretNotFoundError', errorType: 'secret', phase: 'prepare', attempt: 1 },
    message: `GET ${target.url('/echo')}: secret MISSING is not known to the worker`,
  });
  expect(target.total).toBe(total);
  await started(missing.requestId);

  const held = await patient.submit.post(target.url('/hold'), { headers, params, callback });
  await target.waitFor(() => target.held === 1);
  const ps = async (): Promise<string> => {
    const settings = { PATIENT_REDIS_URL: redis.url, PATIENT_TASK_QUEUE: taskQueue };
    return (await run(['dist/src/cli/main.js', 'ps'], settings)).stdout;
  };
  // As of the worker's next renewal.
  let stdout = '';
  await expect.poll(async () => (stdout = await ps())).toContain('127.0.0.1');
  target.release();
  await held.result();
  await started(held.requestId);

  worker.kill('SIGTERM');
  const { stdout: out, stderr } = await worker.end();
  monitor.disconnect();

  const histories = await Promise.all(handles.map((handle) => handle.fetchHistory()));
  expect(histories).toHaveLength(10);
  expect(commands.join('\n')).toContain('/hold');
  // What is searched can be found.
  expect(() => expectNoSecret(['[secret TOKEN]'], { histories })).toThrow();
  expectNoSecret(SECRETS, { histories, log: out + stderr, ps: stdout, redis: commands });
});
