import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client } from '@temporalio/client';
import {
  bundleWorkflowCode,
  NativeConnection,
  Runtime,
  Worker,
  type WorkerOptions,
  type WorkflowBundleOption,
} from '@temporalio/worker';
import { afterAll, beforeAll, beforeEach, expect, inject, test, vi } from 'vitest';
import { PatientPlugin, type PatientPluginOptions, type WireResponse } from '../../src/index.ts';
import { startTargetServer, type TargetServer } from '../../src/testing/target-server.ts';
import { startEnvironment, type Environment } from '../support/environment.ts';
import { waitFor } from '../support/wait-for.ts';
import { rejection } from './support/outcomes.ts';

const LONG = 60_000;
const address = inject('temporalAddress');

/** A worker of ours elsewhere. */
let env: Environment;
let userBundle: WorkflowBundleOption;
let connection: NativeConnection;
let client: Client;
let target: TargetServer;
let taskQueue: string;
let userQueue: string;
/** What the plugin's processor told its observer. */
let events: string[];

beforeAll(async () => {
  env = await startEnvironment();
  const workflowsPath = fileURLToPath(new URL('workflows/', import.meta.url));
  const { logger } = Runtime.instance();
  userBundle = await bundleWorkflowCode({ workflowsPath, logger });
  connection = await NativeConnection.connect({ address });
  client = new Client({ connection });
});
afterAll(async () => {
  await connection?.close();
  await env?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  taskQueue = `plugin-${randomUUID()}`;
  userQueue = `${taskQueue}:user`;
  events = [];
  target = await startTargetServer();
  return () => target.close();
});

function createPlugin(options: PatientPluginOptions = {}): PatientPlugin {
  return new PatientPlugin({
    ...{ taskQueue, workflowBundle: env.workflowBundle, allowPrivateAddresses: true },
    ...{ shutdownTimeout: 0, drainTimeout: 0 },
    observers: [{ start: () => void events.push('start'), stop: () => void events.push('stop') }],
    ...options,
  });
}

/** A user's own worker. */
function createWorker(options: Partial<WorkerOptions> = {}): Promise<Worker> {
  return Worker.create({
    ...{ connection, taskQueue: userQueue, workflowBundle: userBundle },
    activities: { greet: async (name: string) => `Hello ${name}` },
    ...options,
  });
}

/** An inline call of a workflow on the user's worker. */
function get(path: string): Promise<WireResponse> {
  return client.workflow.execute('inlineRequest', {
    ...{ workflowId: randomUUID(), taskQueue: userQueue },
    args: [{ url: target.url(path) }, taskQueue],
  });
}

test("a user's worker runs inline calls; its shutdown ends all", async () => {
  const worker = await createWorker({ plugins: [createPlugin()] });
  await worker.runUntil(async () => {
    expect(await get('/status/200?body=inline')).toMatchObject({ status: 200, body: 'inline' });
  });
  expect(events).toEqual(['start', 'stop']);
});

test("a full processor does not hold up the user's activities", async () => {
  const worker = await createWorker({ plugins: [createPlugin({ maxConnections: 1 })] });
  await worker.runUntil(async () => {
    const responses = [get('/hold?1'), get('/hold?2')];
    await target.waitFor(({ inFlight }) => inFlight === 1);
    const greetings = Array.from({ length: 5 }, (_, i) =>
      client.activity.execute('greet', {
        ...{ id: randomUUID(), taskQueue: userQueue, args: [String(i)] },
        startToCloseTimeout: '1m',
      }),
    );
    expect(await Promise.all(greetings)).toHaveLength(5);
    expect(target.total).toBe(1);
    target.release();
    await target.waitFor(({ total, inFlight }) => total === 2 && inFlight === 1, LONG);
    target.release();
    await Promise.all(responses);
  });
  expect(target.peak).toBe(1);
});

test('processor: false only submits', async () => {
  const worker = await createWorker({ plugins: [createPlugin({ processor: false })] });
  taskQueue = env.taskQueue;
  await worker.runUntil(async () => {
    expect(await get('/status/200')).toMatchObject({ status: 200 });
  });
  expect(events).toEqual([]);
});

test('on the connection, and on connection and worker, it runs one pair', async () => {
  for (const both of [false, true]) {
    const plugin = createPlugin();
    const own = await NativeConnection.connect({ address, plugins: [plugin] });
    const worker = await createWorker({ connection: own, plugins: both ? [plugin] : [] });
    await worker.runUntil(async () => {
      expect(await get('/status/200')).toMatchObject({ status: 200 });
    });
    await own.close();
    expect(events.splice(0)).toEqual(['start', 'stop']);
  }
});

test('workers that share an instance share one pair, which ends with the last', async () => {
  const plugin = createPlugin();
  const first = await createWorker({ plugins: [plugin] });
  const second = await createWorker({ plugins: [plugin], taskQueue: `${userQueue}:2` });
  const [firstEnds, secondEnds] = [first.run(), second.run()];
  expect(await get('/status/200')).toMatchObject({ status: 200 });
  first.shutdown();
  await firstEnds;
  expect(events).toEqual(['start']);
  userQueue = `${userQueue}:2`;
  expect(await get('/status/201')).toMatchObject({ status: 201 });
  second.shutdown();
  await secondEnds;
  expect(events).toEqual(['start', 'stop']);
});

test('an instance serves again after its last worker has ended', async () => {
  const plugin = createPlugin();
  for (let i = 0; i < 2; i++) {
    const worker = await createWorker({ plugins: [plugin] });
    await worker.runUntil(async () => {
      expect(await get('/status/200')).toMatchObject({ status: 200 });
    });
  }
  expect(events).toEqual(['start', 'stop', 'start', 'stop']);
});

test("the shutdown of the user's worker drains the requests", async () => {
  const worker = await createWorker({ plugins: [createPlugin({ shutdownTimeout: LONG })] });
  const running = worker.run();
  const workflowId = randomUUID();
  const handle = await startHeld(workflowId);
  worker.shutdown();
  await waitFor(() => worker.getState() === 'STOPPED');
  target.release();
  await running;
  expect(events).toEqual(['start', 'stop']);
  expect(await completed(handle)).toBe(true);
  expect(target.total).toBe(1);
});

test('so it does where the SDK makes the connection', async () => {
  using usual = usualConnections();
  const plugin = createPlugin({ shutdownTimeout: LONG });
  const [first, second] = [await usual.createWorker(plugin), await usual.createWorker(plugin, 2)];
  const [firstEnds, secondEnds] = [first.run(), second.run()];
  const handle = await startHeld(randomUUID());
  first.shutdown();
  await firstEnds;
  second.shutdown();
  await waitFor(() => second.getState() === 'STOPPED');
  target.release();
  await secondEnds;
  expect(events).toEqual(['start', 'stop']);
  expect(await completed(handle)).toBe(true);
  expect(target.total).toBe(1);
  expect(usual.left()).toBe(0);
});

test('a worker made meanwhile keeps its connection when the others have ended', async () => {
  using usual = usualConnections();
  const plugin = createPlugin();
  const [first, second] = [await usual.createWorker(plugin), await usual.createWorker(plugin, 2)];
  await first.runUntil(async () => {
    expect(await get('/status/200')).toMatchObject({ status: 200 });
  });
  userQueue = `${userQueue}:2`;
  await second.runUntil(async () => {
    expect(await get('/status/201')).toMatchObject({ status: 201 });
  });
  expect(events).toEqual(['start', 'stop', 'start', 'stop']);
  expect(usual.left()).toBe(0);
});

test('a worker that cannot be made leaves no connection open, nor does a pair', async () => {
  using usual = usualConnections();
  const workflowBundle = { code: 'this is no workflow bundle' };
  await expect(usual.createWorker(createPlugin(), 1, { workflowBundle })).rejects.toThrow();
  expect(usual.left()).toBe(0);

  const worker = await usual.createWorker(createPlugin({ workflowBundle }));
  expect((await rejection(worker.run())).message).toMatch(/Workflow Bundle/);
  expect(usual.left()).toBe(0);
});

test("what keeps ours from starting ends the user's worker, with our error", async () => {
  const own = await NativeConnection.connect({ address });
  const workflowBundle = { code: 'this is no workflow bundle' };
  const worker = await createWorker({
    connection: own,
    plugins: [createPlugin({ workflowBundle })],
  });
  const error = await rejection(worker.run());
  expect(error.message).toMatch(/Workflow Bundle/);
  expect(worker.getState()).toBe('STOPPED');
  await own.close();
});

test('wrong options are refused where the plugin is made', () => {
  expect(() => createPlugin({ maxConnections: 0 })).toThrow(/maxConnections: .*got 0/);
  expect(() => createPlugin({ drainTimeout: 'soon' })).toThrow(/drainTimeout: .*"soon"/);
  expect(() => createPlugin({ typo: 1 } as PatientPluginOptions)).toThrow(/typo/);
  expect(() => createPlugin({ processor: false, maxConnections: 0 })).toThrow(/maxConnections/);
  expect(() => createPlugin({ maxConnections: 1 })).not.toThrow();
});

test("a queue of ours cannot be the user's", async () => {
  for (const queue of [taskQueue, `${taskQueue}:requests`]) {
    const plugins = [createPlugin()];
    await expect(createWorker({ taskQueue: queue, plugins })).rejects.toThrow(
      `taskQueue: ${taskQueue} belongs to Patient HTTP`,
    );
  }
});

/** Where no address is given the SDK takes Temporal's usual port, which may be anybody's. */
function usualConnections() {
  const opened: NativeConnection[] = [];
  const real = NativeConnection.connect;
  const connect = vi.spyOn(NativeConnection, 'connect');
  connect.mockImplementation(async function (this: typeof NativeConnection) {
    const made = await real.call(this, { address });
    opened.push(made);
    return made;
  });
  const close = vi.spyOn(NativeConnection.prototype, 'close');
  return {
    createWorker(plugin: PatientPlugin, index = 1, options: Partial<WorkerOptions> = {}) {
      const queue = index === 1 ? userQueue : `${userQueue}:${index}`;
      const base = { taskQueue: queue, workflowBundle: userBundle, plugins: [plugin] };
      return Worker.create({ ...base, ...options });
    },
    left: () => opened.filter((each) => !close.mock.contexts.includes(each)).length,
    [Symbol.dispose]() {
      connect.mockRestore();
      close.mockRestore();
    },
  };
}

async function startHeld(workflowId: string) {
  const handle = await client.workflow.start('inlineRequest', {
    ...{ workflowId, taskQueue: userQueue },
    args: [{ url: target.url('/hold') }, taskQueue],
  });
  await target.waitFor(({ inFlight }) => inFlight === 1, LONG);
  return handle;
}

/** Whether Temporal has the response, which no worker takes to the workflow any more. */
async function completed(handle: Awaited<ReturnType<typeof startHeld>>) {
  const { events: history } = await handle.fetchHistory();
  return history!.some(
    ({ activityTaskCompletedEventAttributes: attributes }) => attributes != null,
  );
}
