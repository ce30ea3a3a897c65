import { Runtime, type WorkflowBundleOption } from '@temporalio/worker';
import { beforeAll, expect, test } from 'vitest';
import type { RequestError } from '../../src/shared/errors.ts';
import {
  startTestEnvironment,
  type TestEnvironment,
  type TestEnvironmentOptions,
} from '../../src/testing/environment.ts';
import { bundleWorkflows } from '../../src/workflow-bundle.ts';
import { startOutage, type Outage } from '../support/outage.ts';
import { waitFor } from '../support/wait-for.ts';

const lines: string[] = [];
let workflowBundle: WorkflowBundleOption;

beforeAll(async () => {
  const note = (message: string): void => void lines.push(message);
  const silent = (): void => undefined;
  const logger = { log: silent, trace: silent, debug: silent, info: note, warn: note, error: note };
  // The SDK's core writes a line for each try of each call.
  const telemetryOptions = { logging: { filter: { core: 'ERROR', other: 'ERROR' } } } as const;
  Runtime.install({ logger, telemetryOptions, shutdownSignals: [] });
  workflowBundle = await bundleWorkflows();
});

/** Lines of ours about Temporal being away. */
function outageLines(): string[] {
  return lines.filter((line) => /^Temporal (does not answer|answers again)/.test(line));
}

function startEnvironment(
  { address }: Outage,
  options: TestEnvironmentOptions = {},
): Promise<TestEnvironment> {
  return startTestEnvironment({ address, workflowBundle, taskQueue: 'outage', ...options });
}

test('responses that arrive while Temporal is away are delivered when it is back', async () => {
  await using temporal = await startOutage();
  await using env = await startEnvironment(temporal);
  const url = env.target.url('/hold');
  const submitted = Array.from({ length: 6 }, (_, i) =>
    env.patient.submit[i % 2 === 0 ? 'get' : 'post'](url),
  );
  const handles = await Promise.all(submitted);
  await env.target.waitFor(({ inFlight }) => inFlight === 6);

  lines.length = 0;
  await temporal.begin();
  env.target.release();
  await waitFor(() => [...env.worker.processor.tasks].every(({ phase }) => phase === 'delivering'));
  await waitFor(() => outageLines().length > 0);
  expect(env.worker.processor.total).toBe(6);
  await temporal.end();
  const responses = await Promise.all(handles.map((handle) => handle.result()));
  expect(responses.map((response) => [response?.status, response?.attempt])).toEqual(
    Array(6).fill([200, 1]),
  );
  expect(env.target.total).toBe(6);
  await waitFor(() => env.worker.processor.total === 0);
  expect(outageLines()).toEqual([
    expect.stringContaining('does not answer'),
    expect.stringContaining('answers again'),
  ]);
});

test('a POST waits while Temporal cannot mark it, beyond its timeout, and costs no try', async () => {
  await using temporal = await startOutage();
  const errors: string[] = [];
  const requestError = (_: unknown, { type }: RequestError): void => void errors.push(type);
  await using env = await startEnvironment(temporal, { observers: [{ requestError }] });
  const handle = await env.patient.submit.post(env.target.url('/echo'), {
    json: { pay: 1 },
    timeout: '1500ms',
    retry: { maximumAttempts: 1 },
  });
  await env.target.waitFor(({ connections }) => connections === 1);
  await temporal.begin();
  await waitFor(() => [...env.worker.processor.tasks].some(({ phase }) => phase === 'delivering'));
  expect(env.target.total).toBe(0);
  await temporal.end();
  expect(await handle.result()).toMatchObject({ status: 200, attempt: 1 });
  expect(env.target.total).toBe(1);
  expect(errors).toEqual([]);
});

test('a shutdown while Temporal is away ends in time, and says what was not delivered', async () => {
  await using temporal = await startOutage();
  const drain = { shutdownTimeout: 100, drainTimeout: 200 };
  await using env = await startEnvironment(temporal, drain);
  const paths = ['/hold?1', '/hold?2', '/hold?3'];
  const { submit } = env.patient;
  await Promise.all(paths.map((path) => submit.get(env.target.url(path))));
  await submit.post(env.target.url('/hold?4'));
  await env.target.waitFor(({ inFlight }) => inFlight === 4);
  await temporal.begin();
  const before = performance.now();
  expect(await env.worker.shutdown()).toBe(4);
  expect(performance.now() - before).toBeLessThan(60_000);
  expect(env.worker.processor.state).toBe('stopped');
});
