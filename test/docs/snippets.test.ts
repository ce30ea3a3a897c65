/*
 * The TypeScript of README and docs/, as it stands there, run against a real server: each block is
 * a file in `snippets` (see pages.test.ts), and each of these is run here.
 */
import { rm, writeFile } from 'node:fs/promises';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { PatientClient, type SinkItem } from 'patient-http';
import { callbackOf, runInline, startTemporalServer } from 'patient-http/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { start } from '../cli/process.ts';
import { A, temporaryFolder } from '../payload/support.ts';
import { startRedis } from '../support/redis.ts';
import { waitFor } from '../support/wait-for.ts';
import { root, snippets } from './pages.ts';
import * as batchActivities from './snippets/batch-activities.ts';
import * as batchClient from './snippets/batch-client.ts';
import * as clientSnippet from './snippets/client.ts';
import { fetchPrice } from './snippets/fetch-activity.ts';
import * as fleetSnippet from './snippets/fleet.ts';
import * as inlineActivities from './snippets/inline-activities.ts';
import * as limitedWorker from './snippets/limited-worker.ts';
import * as observer from './snippets/observer.ts';
import * as payloads from './snippets/payloads.ts';
import * as inline from './snippets/run-inline.ts';
import * as signing from './snippets/signing.ts';
import * as testEnvironment from './snippets/test-environment.ts';
import * as workflows from './snippets/workflows/index.ts';
import { API, startStack, workflowsPath, type Stack } from './stack.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.[Symbol.asyncDispose]());

function execute<A extends unknown[], R>(
  workflow: (...args: A) => Promise<R>,
  args: A,
  taskQueue = 'orders',
): Promise<R> {
  const options = { taskQueue, workflowId: `${workflow.name}-${Date.now()}`, args };
  const { client } = stack;
  return client.workflow.execute<(...args: unknown[]) => Promise<R>>(workflow.name, options);
}

/** A worker of the user's, with these activities. */
async function withActivities(
  taskQueue: string,
  activities: object,
  run: () => Promise<void>,
): Promise<void> {
  const connection = await NativeConnection.connect({ address: stack.temporal.address });
  try {
    const worker = await Worker.create({ connection, taskQueue, activities, workflowsPath });
    await worker.runUntil(run());
  } finally {
    await connection.close();
  }
}

async function callbackDone(requestId: string) {
  const { argument, workflow } = await callbackOf(stack.client, requestId);
  await workflow.result();
  return argument;
}

/** How each snippet is run, by its file. */
const runs: Record<string, () => Promise<void>> = {
  'workflows/price-order.ts': async () => {
    const requestId = await execute(workflows.priceOrder, [stack.target.origin, '17']);
    const argument = await callbackDone(requestId);
    expect(argument).toMatchObject({ outcome: 'response', callbackArgs: '17' });
    expect(stack.received.at(-1)).toEqual({ url: '/invoices', body: '{"amount":12}' });
  },
  'workflows/price-as-child.ts': async () => {
    expect(await execute(workflows.priceAsChild, [stack.target.origin, '17'])).toBe(12);
  },
  'workflows/ask-and-go-on.ts': async () => {
    const url = stack.target.url('/price/17');
    expect(await execute(workflows.askAndGoOn, [url])).toBe('response');
  },
  'workflows/request-quotes.ts': async () => {
    const suppliers = ['/a', '/b'].map((path) => stack.target.url(path));
    const ids = await execute(workflows.requestQuotes, [suppliers, 'bolt']);
    const callbacks = await Promise.all(ids.map(callbackDone));
    const urls = callbacks.map(({ response }) => JSON.parse(response?.body ?? '') as unknown);
    expect(urls).toEqual([{ url: '/a?article=bolt' }, { url: '/b?article=bolt' }]);
  },
  'workflows/charge.ts': async () => {
    const before = stack.received.length;
    expect(await execute(workflows.charge, [stack.target.origin, '17'])).toBe('charged');
    const urls = stack.received.slice(before).map(({ url }) => url);
    expect(urls).toEqual(['/charges', '/charges?order=17']);
  },
  'workflows/charge-once.ts': async () => {
    vi.stubEnv('PATIENT_SECRET_API_KEY', 'key-of-the-API');
    expect(await execute(workflows.chargeOnce, [stack.target.origin, '17'])).toBe('ch-charge-17');
  },
  'workflows/summarize.ts': async () => {
    vi.stubEnv('PATIENT_SECRET_LLM_KEY', 'key-of-the-model');
    const summary = await execute(workflows.summarize, [stack.target.origin, 'Once upon a time']);
    expect(summary).toBe('27 characters');
  },
  'workflows/render-video.ts': async () => {
    const video = await execute(workflows.renderVideo, [stack.target.origin, 'Fade in.']);
    expect(video).toBe('https://videos.example.com/7');
  },
  'workflows/forecast.ts': async () => {
    const days = await execute(workflows.forecast, [stack.target.origin]);
    expect(days).toEqual([{ url: '/v1/today' }, { url: '/v1/tomorrow' }]);
  },
  'workflows/price-all.ts': async () => {
    const prices = await execute(workflows.priceAll, [stack.target.origin, ['17', '18']]);
    expect(prices).toEqual({ 17: { amount: 12 }, 18: { amount: 12 } });
  },
  'workflows/notify.ts': async () => {
    vi.stubEnv('PATIENT_SECRET_API_KEY', 'key-of-the-API');
    expect(await execute(workflows.notify, [stack.target.url('/hooks')])).toBe(201);
  },
  'fetch-activity.ts': async () => {
    expect(await fetchPrice(stack.target.origin, '17')).toEqual({ amount: 12 });
  },
  'workflows/price-of.ts': async () => {
    vi.stubEnv('PATIENT_SECRET_PRICE_KEY', 'key-of-the-prices');
    expect(await execute(workflows.priceOf, [stack.target.origin, '17'])).toBe(12);
  },
  'workflows/send-invoice.ts': async () => {
    const updates: unknown[] = [];
    const updateInvoice = (...update: unknown[]) => Promise.resolve(void updates.push(update));
    await withActivities('invoices', { updateInvoice }, async () => {
      const id = await execute(workflows.sendInvoice, [stack.target.origin, 17], 'invoices');
      await callbackDone(id);
    });
    expect(updates).toEqual([[17, 201]]);
  },
  // The two are one example.
  'batch-activities.ts': runBatch,
  'batch-client.ts': runBatch,
  'signing.ts': async () => {
    const options = { preprocessors: signing.preprocessors, secrets: () => 'key of the partner' };
    const url = stack.target.url('/partner');
    const spec = { url, method: 'POST' as const, preprocessors: ['partner'] };
    expect(await runInline(spec, options)).toMatchObject({ status: 201 });
    expect(signing.plugin.name).toBe('patient-http');
  },
  'plugin.ts': async () => {
    // It is the worker of all the others.
    expect((await stack.patient.get(stack.target.url('/price/17'))).status).toBe(200);
  },
  'client.ts': async () => {
    const { price, invoice } = await clientSnippet.use(stack.client, stack.target.origin);
    expect(price.json()).toEqual({ amount: 12 });
    expect(invoice).toMatchObject({ status: 201, requestId: 'invoice-17' });
  },
  'fleet.ts': async () => {
    await using redis = await startRedis();
    await using worker = start(['dist/src/cli/main.js', 'worker'], {
      TEMPORAL_ADDRESS: stack.temporal.address,
      ...{ PATIENT_REDIS_URL: redis.url, PATIENT_TASK_QUEUE: 'fleet' },
      PATIENT_ALLOW_PRIVATE_ADDRESSES: 'true',
    });
    await worker.prints(/ready/);
    const { submit } = new PatientClient({ client: stack.client, taskQueue: 'fleet' });
    const refused = await submit.get('http://127.0.0.1:1/', { retry: { maximumAttempts: 1 } });
    await expect(refused.result()).rejects.toMatchObject({ type: 'ConnectionError' });
    await waitFor(() => redis.redis.llen('patient:{default/fleet}:failures'));
    const { matched, silent, again } = await fleetSnippet.use(stack.client, redis.url, 'fleet');
    expect({ matched, silent }).toEqual({ matched: 0, silent: [] });
    expect(again).toEqual([expect.stringMatching(`^${refused.requestId}:redrive:`)]);
  },
  'payloads.ts': async () => {
    await using folder = await temporaryFolder();
    await using worker = start(['dist/src/cli/main.js', 'worker'], {
      ...{ TEMPORAL_ADDRESS: stack.temporal.address, PATIENT_TASK_QUEUE: 'payloads' },
      ...{ PATIENT_ALLOW_PRIVATE_ADDRESSES: 'true', PATIENT_COMPRESS: 'true' },
      ...{ PATIENT_ENCRYPTION_KEYS: `2026-11:${A}`, PATIENT_PAYLOAD_STORE: folder.url },
    });
    await worker.prints(/ready/);
    const connection = await Connection.connect({ address: stack.temporal.address });
    try {
      const { client, patient } = payloads.create(connection, A!, folder.url);
      expect(patient).toBeInstanceOf(PatientClient);
      const asking = new PatientClient({ client, taskQueue: 'payloads' });
      const price = await asking.get(stack.target.url('/price/17'));
      expect(price.json()).toEqual({ amount: 12 });
      const unreadable = stack.client.workflow.getHandle(price.requestId).result();
      await expect(unreadable).rejects.toThrow('binary/encrypted');
    } finally {
      await connection.close();
    }
  },
  'observer.ts': async () => {
    const connection = await NativeConnection.connect({ address: stack.temporal.address });
    const lines: string[] = [];
    const worker = await observer.create(connection, (line) => lines.push(line));
    const running = observer.run(worker);
    const patient = new PatientClient({ client: stack.client, taskQueue: 'reports' });
    try {
      await patient.get(stack.target.url('/price/17'));
      expect(lines).toEqual([expect.stringMatching(/\/price\/17: 200 after \d+ ms$/)]);
    } finally {
      expect(await worker.shutdown()).toBe(0);
      await running;
      await connection.close();
    }
  },
  'limited-worker.ts': async () => {
    const { worker, connection } = await limitedWorker.create(stack.temporal.address);
    const running = limitedWorker.run(worker);
    const patient = new PatientClient({ client: stack.client, taskQueue: 'limited' });
    try {
      const options = { flow: { key: 'prices' } };
      expect((await patient.get(stack.target.url('/price/17'), options)).status).toBe(200);
      expect(worker.options.flow).toHaveProperty(['api.example.com', 'concurrency'], 5);
    } finally {
      await worker.shutdown();
      await running;
      await connection.close();
    }
  },
  'shutdown.ts': async () => {
    // There it has a folder of workflows beside it.
    const script = new URL('dist/shutdown-snippet.mjs', root);
    await writeFile(script, snippets().get('shutdown.ts') ?? '');
    try {
      await using worker = start(['dist/shutdown-snippet.mjs'], {
        TEMPORAL_ADDRESS: stack.temporal.address,
      });
      await worker.prints(/RUNNING[^]*RUNNING[^]*RUNNING/);
      worker.kill('SIGTERM');
      expect(await worker.end()).toMatchObject({ code: 0, signal: null });
    } finally {
      await rm(script);
    }
  },
  'metrics-runtime.ts': async () => {
    // A Runtime is installed before anything else is done.
    const script = new URL('dist/runtime-snippet.mjs', root);
    const text = snippets().get('metrics-runtime.ts') ?? '';
    await writeFile(
      script,
      `${text.replace(':9464', ':0')}console.log('installed');process.exit();`,
    );
    try {
      await using runtime = start(['dist/runtime-snippet.mjs']);
      expect(await runtime.end()).toMatchObject({ code: 0, stdout: 'installed\n' });
    } finally {
      await rm(script);
    }
  },
  'run-inline.ts': inline.runs,
  'test-environment.ts': () => testEnvironment.runs(workflowsPath),
  'inline-activities.ts': async () => {
    await using server = await startTemporalServer();
    const connection = await NativeConnection.connect({ address: server.address });
    const workers = await inlineActivities.create(connection);
    const running = Promise.all(workers.map((worker) => worker.run()));
    try {
      const standIn = new PatientClient({ client: new Client({ connection }) });
      expect((await standIn.get(`${API}/price/17`)).json()).toEqual({ amount: 12 });
    } finally {
      for (const worker of workers) worker.shutdown();
      await running;
      await connection.close();
    }
  },
};

let batch: Promise<void> | undefined;

function runBatch(): Promise<void> {
  return (batch ??= (async () => {
    vi.spyOn(console, 'log').mockImplementation(() => undefined);
    const saved = new Map<number, SinkItem>();
    const activities = batchActivities.createBatchActivities(
      (_customer, offset) => Promise.resolve(offset === 0 ? ['17', '18', '19'] : []),
      (items) => Promise.resolve(items.forEach((item) => void saved.set(item.index, item))),
    );
    await withActivities('batches', activities, async () => {
      const result = await batchClient.use(stack.client, stack.target.origin);
      expect(result).toEqual({ succeeded: 3, failed: 0 });
    });
    expect([...saved.keys()].toSorted((a, b) => a - b)).toEqual([0, 1, 2]);
    expect(console.log).toHaveBeenCalledWith(expect.objectContaining({ failed: 0 }));
    vi.restoreAllMocks();
  })());
}

test('every snippet is run', () => {
  expect(Object.keys(runs).sort()).toEqual([...snippets().keys()].sort());
});

test.each(Object.entries(runs))('%s', (_, run) => run());
